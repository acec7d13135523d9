"""Whether everything that was acknowledged is stored exactly once. It knows ledgers and a data folder, no process."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from homeostat_server.model.signal import Signal
from tests.e2e.numbered import Tally, derived_disagreements, exemplar_tallies, tallies
from tests.e2e.senders import Client
from tests.running import waiting_segments
from tests.stored_rows import StoredRows, stored_rows


@dataclass(slots=True)
class Verdict:
    """Count, over all signals and in items: acknowledged, missing, doubled, and rows that nobody sent."""

    acknowledged: int = 0
    missing: int = 0
    doubled: int = 0
    unknown: int = 0
    repeated: int = 0
    derived: dict[str, int] = field(default_factory=dict)
    left_in_spool: int = 0
    quarantined: int = 0

    def __str__(self) -> str:
        """Return the figures in one line."""
        return (
            f"{self.acknowledged} items acknowledged, {self.repeated} bodies sent again after an answer,"
            f" {self.missing} missing, {self.doubled} doubled, {self.unknown} unknown, derived wrong: {self.derived}"
        )

    @property
    def is_clean(self) -> bool:
        """Say whether nothing is wrong."""
        wrong = self.missing + self.doubled + self.unknown + self.left_in_spool + self.quarantined
        return wrong + sum(self.derived.values()) == 0


def examine(data: Path, senders: Sequence[Client], *, derived: bool = True) -> Verdict:
    """Compare what clients remember with what a folder holds, once its process has ended."""
    verdict = Verdict(
        repeated=sum(client.ledger.repeated for client in senders),
        left_in_spool=len(waiting_segments(data)),
        quarantined=len(list((data / "spool" / "quarantine").iterdir())),
    )
    with stored_rows(data) as stored:
        for signal in Signal:
            _count(verdict, tallies(stored, signal), senders, signal)
        _count_exemplars(verdict, stored, senders)
        if derived:
            verdict.derived = derived_disagreements(stored)
    return verdict


def _count(verdict: Verdict, found: dict[int, Tally], senders: Sequence[Client], signal: Signal) -> None:
    sent: Counter[int] = Counter()
    acknowledged: Counter[int] = Counter()
    for client in senders:
        sent.update(client.ledger.sent[signal])
        acknowledged.update(client.ledger.acknowledged[signal])
    verdict.acknowledged += acknowledged.total()
    for number, items in acknowledged.items():
        verdict.missing += items - found.get(number, Tally(0, 0)).items
    for number, tally in found.items():
        verdict.doubled += tally.rows - tally.items
        # All of a body or none of it, whether its sender was told or not.
        verdict.unknown += tally.items if number not in sent else abs(tally.items - sent[number])


def _count_exemplars(verdict: Verdict, stored: StoredRows, senders: Sequence[Client]) -> None:
    """Count the exemplars of metrics: every fifth point of a body has one."""
    found = exemplar_tallies(stored)
    for client in senders:
        for number, items in client.ledger.acknowledged[Signal.METRICS].items():
            tally = found.get(number, Tally(0, 0))
            verdict.missing += -(-items // 5) - tally.items
            verdict.doubled += tally.rows - tally.items
