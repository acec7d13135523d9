"""Take refused items out of a decoded request. It does not decide which."""

from collections.abc import Callable, Sequence
from typing import Any

from homeostat_server.ingest.checks.refusals import Findings, Refusal


def keep_good(
    items: Any,  # noqa: ANN401 - a repeated field of any message
    *,
    verdict: Callable[[Any], Refusal | None],
    findings: Findings,
    place: str,
) -> None:
    """Remove from a repeated field what the verdict refuses, keep the rest in order, and note each refusal."""
    verdicts: Sequence[Refusal | None] = [verdict(item) for item in items]
    for index, refusal in enumerate(verdicts):
        if refusal is not None:
            findings.add(refusal, place=f"{place}[{index}]")
    good = verdicts.count(None)
    if good == len(verdicts):
        return
    # Deleting one by one is quadratic in what a sender chooses; a stable sort brings the good ones to the front.
    is_bad = iter([refusal is not None for refusal in verdicts])
    items.sort(key=lambda _item: next(is_bad))
    del items[good:]


def refuse_all(items: Any, *, refusal: Refusal, findings: Findings, place: str) -> None:  # noqa: ANN401 - as above
    """Remove every item of a repeated field for one reason."""
    if len(items):
        findings.add(refusal, place=f"{place}[0]", items=len(items))
        del items[:]
