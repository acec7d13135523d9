import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.unit.sdk.buffer.spools import Process, files

BYTES_MAX = 3000


class Histories(RuleBasedStateMachine):
    """Processes live and die beside each other; whatever happens, every record is delivered once or counted as lost."""

    def __init__(self) -> None:
        """Begin with an empty folder and nothing written."""
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.path = Path(self._folder.name)
        self.living: list[Process] = []
        self.ended: list[Process] = []
        self.born = 0
        self.written: list[int] = []
        self.delivered: list[int] = []

    @rule()
    def be_born(self) -> None:
        """Begin a process, three at once at most."""
        if len(self.living) < 3:
            self.born += 1
            self.living.append(Process(self.path, f"{self.born:04d}", bytes_max=BYTES_MAX))

    @rule(choice=st.integers(0, 2), count=st.integers(1, 5), size_bytes=st.integers(10, 300))
    def write(self, choice: int, count: int, size_bytes: int) -> None:
        """Write some records."""
        if self.living:
            numbers = range(len(self.written), len(self.written) + count)
            self.written.extend(numbers)
            self.living[choice % len(self.living)].write(*numbers, size_bytes=size_bytes)

    @rule(choice=st.integers(0, 2), count=st.integers(1, 6))
    def deliver(self, choice: int, count: int) -> None:
        """Deliver some records."""
        if self.living:
            self.delivered.extend(self.living[choice % len(self.living)].deliver(count))

    @rule(choice=st.integers(0, 2))
    def adopt(self, choice: int) -> None:
        """Look for what dead processes left."""
        if self.living:
            self.living[choice % len(self.living)].spool.adopt()

    @rule(choice=st.integers(0, 2), is_orderly=st.booleans())
    def end(self, choice: int, *, is_orderly: bool) -> None:
        """End a process, as it should or by a kill."""
        if self.living:
            process = self.living.pop(choice % len(self.living))
            self.ended.append(process)
            if is_orderly:
                process.spool.close()
            else:
                process.die()

    @invariant()
    def the_bound_holds(self) -> None:
        """All files together are never larger than it, as long as a second passes between two writes."""
        assert sum(path.stat().st_size for path in files(self.path)) <= BYTES_MAX

    def teardown(self) -> None:
        """Let one last process deliver everything."""
        for process in self.living:
            process.die()
        last = Process(self.path, "9999", bytes_max=BYTES_MAX)
        last.spool.adopt()
        self.delivered.extend(last.deliver())
        lost = sum(sum(process.losses.items.values()) for process in (*self.living, *self.ended, last))
        assert len(set(self.delivered)) == len(self.delivered)
        assert len(self.delivered) + lost == len(self.written)
        last.spool.close()
        assert files(self.path) == []
        self._folder.cleanup()


Histories.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestHistories = Histories.TestCase
