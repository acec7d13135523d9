"""An alarm when rows are late: acknowledged data that cannot be read yet. It looks and says so; it mends nothing."""

import logging
from collections.abc import Mapping
from typing import Final

from homeostat_server.exceptions import StoreUnavailable
from homeostat_server.ingest.committer import Committer
from homeostat_server.model.signal import Signal
from homeostat_server.runtime.telemetry import Telemetry

_LOG: Final = logging.getLogger(__name__)


class LagAlarm:
    """Watch how old the oldest acknowledged request is that is not stored, for each signal."""

    def __init__(self, committers: Mapping[Signal, Committer], *, alarm_s: float, telemetry: Telemetry) -> None:
        """Begin silent."""
        self._committers = committers
        self._alarm_s = alarm_s
        self._loud: set[Signal] = set()
        telemetry.observe(
            "homeostat_ingest_lag_seconds",
            "How far the newest row lags behind the newest acknowledged request.",
            labels=("signal",),
            read=lambda: [((signal.value,), self.behind_s(signal)) for signal in committers],
        )
        telemetry.observe(
            "homeostat_ingest_lag_alarm",
            "1 while a signal's lag is over the setting ingest_lag_alarm_s.",
            labels=("signal",),
            read=lambda: [((signal.value,), float(self.behind_s(signal) > alarm_s)) for signal in committers],
        )

    def behind_s(self, signal: Signal) -> float:
        """Return how far rows of a signal are behind acknowledgements."""
        return self._committers[signal].lag().behind_s

    def look(self) -> None:
        """Log each signal that has become late, and each that has caught up."""
        for signal in self._committers:
            behind_s = self.behind_s(signal)
            late = behind_s > self._alarm_s
            if late and signal not in self._loud:
                _LOG.error("rows of %s are %.0f s behind what was acknowledged", signal, behind_s)
            if not late and signal in self._loud:
                _LOG.warning("rows of %s have caught up", signal)
            (self._loud.add if late else self._loud.discard)(signal)

    def check(self) -> Mapping[str, float]:
        """Return the lags in seconds by signal.

        Raises:
            StoreUnavailable: a signal's lag is over the alarm's bound.
        """
        lags = {signal.value: round(self.behind_s(signal), 3) for signal in self._committers}
        if late := {name: lag for name, lag in lags.items() if lag > self._alarm_s}:
            raise StoreUnavailable(
                "store what was acknowledged",
                value=", ".join(f"{name} is {lag:.0f} s behind" for name, lag in late.items()),
                hint="Nothing is lost; look at the log for what the store says, and at disk and memory.",
            )
        return lags
