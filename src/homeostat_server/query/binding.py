"""Values that a caller said, on their way into SQL as bound parameters. It makes names and no conditions."""

from typing import Final

from homeostat_server.exceptions import InvalidRequest
from homeostat_server.store.ports import Parameter

VALUES_MAX: Final = 500
"""Of one statement: more than any question of a person, and far from what the engine's parser takes."""


class Binder:
    """Give each value a parameter's name, the same value the same one; belongs to one statement."""

    def __init__(self) -> None:
        """Begin with no values."""
        self.parameters: dict[str, Parameter] = {}
        self._known: dict[tuple[str, Parameter], str] = {}

    def text(self, value: str) -> str:
        """Return the SQL that stands for a text."""
        return self._bound(value, "String")

    def integer(self, value: int) -> str:
        """Return the SQL that stands for a whole number of 64 bits with a sign."""
        return self._bound(value, "Int64")

    def real(self, value: float) -> str:
        """Return the SQL that stands for a real number."""
        return self._bound(float(value), "Float64")

    def _bound(self, value: Parameter, kind: str) -> str:
        name = self._known.get((kind, value))
        if name is None:
            if len(self.parameters) >= VALUES_MAX:
                raise InvalidRequest("ask with so many values", hint=f"A question has at most {VALUES_MAX} of them.")
            name = f"value_{len(self.parameters)}"
            self._known[kind, value] = name
            self.parameters[name] = value
        return f"{{{name}:{kind}}}"
