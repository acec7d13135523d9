import asyncio
import threading

import pytest

from homeostat_server.runtime.lifecycle import Component, Lifecycle, in_thread


class Journal:
    """Write down what happened, in order."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def component(self, name: str, *, failing: str = "", hanging: str = "", budget_s: float = 5.0) -> Component:
        """Return a component that writes its name, and fails or hangs at `start` or `stop`."""

        async def act(verb: str) -> None:
            self.lines.append(f"{verb} {name}")
            if failing == verb:
                raise OSError(name)
            if hanging == verb:
                await asyncio.Event().wait()

        return Component(
            name=name,
            start=lambda: act("start"),
            stop=lambda: act("stop"),
            start_budget_s=budget_s,
            stop_budget_s=budget_s,
        )


async def test_components_start_in_order_and_stop_in_reverse() -> None:
    """What is below is there first and goes last."""
    journal = Journal()
    lifecycle = Lifecycle().add(journal.component("store")).add(journal.component("spool")).add(Component(name="idle"))
    await lifecycle.start()
    assert lifecycle.started == ("store", "spool", "idle")
    assert await lifecycle.stop() == ()
    assert journal.lines == ["start store", "start spool", "stop spool", "stop store"]


async def test_a_failed_start_stops_what_had_started_and_raises() -> None:
    """The one that failed is not stopped, those below it are."""
    journal = Journal()
    lifecycle = Lifecycle().add(journal.component("store")).add(journal.component("spool", failing="start"))
    lifecycle.add(journal.component("api"))
    with pytest.raises(OSError, match="spool"):
        await lifecycle.start()
    assert journal.lines == ["start store", "start spool", "stop store"]
    assert lifecycle.started == ()


async def test_a_start_over_its_budget_names_the_component() -> None:
    """A hang at start becomes an error that says who hangs."""
    journal = Journal()
    lifecycle = Lifecycle().add(journal.component("store"))
    lifecycle.add(journal.component("engine", hanging="start", budget_s=0.01))
    with pytest.raises(TimeoutError, match=r"engine did not start within 0\.01 s"):
        await lifecycle.start()
    assert journal.lines[-1] == "stop store"


async def test_a_time_out_of_the_component_itself_is_not_taken_for_its_budget() -> None:
    """The component's own TimeoutError keeps its own words."""

    async def start() -> None:
        raise TimeoutError("no answer from the cluster")

    with pytest.raises(TimeoutError, match="no answer from the cluster"):
        await Lifecycle().add(Component(name="store", start=start)).start()


async def test_a_component_that_fails_or_hangs_at_stop_does_not_keep_the_others() -> None:
    """Every component below is still stopped, and the failures are told."""
    journal = Journal()
    lifecycle = Lifecycle().add(journal.component("store"))
    lifecycle.add(journal.component("spool", failing="stop"))
    lifecycle.add(journal.component("api", hanging="stop", budget_s=0.01))
    await lifecycle.start()
    failures = await lifecycle.stop()
    assert [(failure.component, type(failure.error)) for failure in failures] == [
        ("api", TimeoutError),
        ("spool", OSError),
    ]
    assert journal.lines[-3:] == ["stop api", "stop spool", "stop store"]


async def test_stopping_twice_stops_once() -> None:
    """A second signal while stopping finds nothing more to do."""
    journal = Journal()
    lifecycle = Lifecycle().add(journal.component("store"))
    await lifecycle.start()
    await lifecycle.stop()
    assert await lifecycle.stop() == ()
    assert journal.lines == ["start store", "stop store"]


async def test_a_blocking_start_runs_beside_the_event_loop() -> None:
    """A start that blocks is given a thread."""
    threads: list[threading.Thread] = []
    component = Component(name="engine", start=in_thread(lambda: threads.append(threading.current_thread())))
    await Lifecycle().add(component).start()
    assert threads[0] is not threading.main_thread()
