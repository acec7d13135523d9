"""The error tree of the SDK; it imports nothing, and every room raises from it.

    HomeostatError
    ├── SettingInvalid        setting_invalid       the value of a setting cannot be read
    ├── ExtraMissing          extra_missing         a package is not installed that a setting asks for
    ├── CarrierUnsupported    carrier_unsupported   a message of this type cannot carry a context
    ├── ExportFailed          export_failed         telemetry could not be delivered
    ├── BufferUnusable        buffer_unusable       the folder of the buffer cannot be written
    ├── NameUndeclared        name_undeclared       an attribute or family has no declaration
    └── ExpectationFailed     expectation_failed    a test expected other telemetry

None of them reaches the program that is observed: they are caught at the borders listed in pyproject.toml, counted and
told. Only the testing tools and the commands raise to their caller, because there somebody is asking.
"""

from typing import ClassVar, Final

SHOWN_VALUE_LENGTH_MAX: Final = 200
"""Longer values are cut in messages: a log line must not repeat a body."""


class HomeostatError(Exception):
    """Say what was attempted with which value, what to do about it, and whether a retry helps."""

    code: ClassVar[str] = "internal"
    retryable: ClassVar[bool] = False

    def __init__(self, attempted: str, *, value: object = None, hint: str = "") -> None:
        """Describe the failure.

        Args:
            attempted: what was tried and failed, a sentence fragment such as "read the setting endpoint".
            value: what it was tried with, shown cut to `SHOWN_VALUE_LENGTH_MAX` characters; None when there is none.
            hint: what the reader can do about it, a whole sentence, or nothing.
        """
        super().__init__(attempted)
        self.attempted = attempted
        self.value = value
        self.hint = hint

    def __str__(self) -> str:
        """Return attempted, value and hint in one line."""
        head = self.attempted if self.value is None else f"{self.attempted}: {_shown(self.value)}"
        return f"{head} ({self.hint})" if self.hint else head


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= SHOWN_VALUE_LENGTH_MAX else f"{text[:SHOWN_VALUE_LENGTH_MAX]}…"


class SettingInvalid(HomeostatError):
    """Refuse the value of a setting; the SDK goes on with the next lower origin's."""

    code = "setting_invalid"


class ExtraMissing(HomeostatError):
    """Say that a package is not installed that a setting asks for."""

    code = "extra_missing"


class CarrierUnsupported(HomeostatError):
    """Say that a message of this type cannot carry a context."""

    code = "carrier_unsupported"


class ExportFailed(HomeostatError):
    """Say that telemetry could not be delivered now."""

    code = "export_failed"
    retryable = True


class BufferUnusable(HomeostatError):
    """Say that the folder of the buffer cannot be written."""

    code = "buffer_unusable"


class NameUndeclared(HomeostatError):
    """Refuse an attribute or a span family that nobody declared."""

    code = "name_undeclared"


class ExpectationFailed(HomeostatError, AssertionError):
    """Say that a test expected other telemetry than there is; pytest shows it as a failed assertion."""

    code = "expectation_failed"
