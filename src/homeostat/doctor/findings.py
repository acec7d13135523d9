"""What the doctor says about one thing. It does not know what was looked at."""

from dataclasses import dataclass
from enum import StrEnum, unique


@unique
class Verdict(StrEnum):
    """Name how bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "PROBLEM"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Tell what was looked at, what was seen, and what to do about it."""

    subject: str
    verdict: Verdict
    detail: str
    hint: str = ""

    def lines(self) -> tuple[str, ...]:
        """Return it as it is printed."""
        head = f"{self.verdict:<8} {self.subject}: {self.detail}"
        return (head, f"         {self.hint}") if self.hint else (head,)


def ok(subject: str, detail: str) -> Finding:
    """Return that all is well."""
    return Finding(subject=subject, verdict=Verdict.OK, detail=detail)


def warning(subject: str, detail: str, hint: str = "") -> Finding:
    """Return that something is not as somebody may believe it is."""
    return Finding(subject=subject, verdict=Verdict.WARNING, detail=detail, hint=hint)


def problem(subject: str, detail: str, hint: str = "") -> Finding:
    """Return that telemetry does not arrive as things are."""
    return Finding(subject=subject, verdict=Verdict.PROBLEM, detail=detail, hint=hint)
