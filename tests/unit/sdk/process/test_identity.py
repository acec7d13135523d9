import os
import uuid

from homeostat.process.budget import ExitBudget
from homeostat.process.identity import new_identity


def test_every_identity_is_another() -> None:
    """A random UUID, the process, and when it began."""
    first, second = new_identity(now_ns=lambda: 7), new_identity()
    assert uuid.UUID(first.instance_id).version == 4
    assert (first.pid, first.born_ns) == (os.getpid(), 7)
    assert first.instance_id != second.instance_id


def test_the_exit_budget_counts_from_the_first_question() -> None:
    """Who comes later gets what is left, and never less than nothing."""
    now = [100.0]
    budget = ExitBudget(5, monotonic_s=lambda: now[0])
    now[0] = 200.0
    assert budget.remaining_s() == 5
    now[0] = 203.0
    assert budget.remaining_s() == 2
    now[0] = 300.0
    assert budget.remaining_s() == 0
