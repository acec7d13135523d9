"""What peers are asked, and how an answer is kept: as data, made the same whatever order a peer likes."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

CAPTURES: Final = Path(__file__).parent / "captures"

Json = Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Hold one request; the path comes after the peer's prefix."""

    name: str
    path: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """Hold what a peer answered."""

    status: int
    media_type: str
    body: Json

    def document(self) -> dict[str, Json]:
        """Return it as it is written down."""
        return {"status": self.status, "media_type": self.media_type, "body": self.body}


def answered(
    status: int, *, content_type: str, content: bytes, normal: Callable[[Json], Json] = lambda body: body
) -> Answered:
    """Return an answer with its body as a document where it is JSON, else as text."""
    text = content.decode()
    try:
        body = normal(json.loads(text))
    except json.JSONDecodeError:
        body = text.strip()
    return Answered(status=status, media_type=content_type.partition(";")[0], body=body)


def read_captures(name: str) -> dict[str, Json]:
    """Return the captures of a peer: how they came about, and the answers by the name of the question."""
    document: dict[str, Json] = json.loads((CAPTURES / name).read_text())
    return document


def write_captures(name: str, *, origin: str, answers: Mapping[str, Answered]) -> None:
    """Write the captures of a peer."""
    document = {"origin": origin, "answers": {key: answer.document() for key, answer in answers.items()}}
    (CAPTURES / name).write_text(json.dumps(document, indent=1, ensure_ascii=False, sort_keys=True) + "\n")
