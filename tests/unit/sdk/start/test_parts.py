import io
import multiprocessing
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from homeostat.process.identity import new_identity
from homeostat.settings.loading import load
from homeostat.settings.table import Settings
from homeostat.start.assembly import buffer_folder, export_config, sampling_config, traces_address
from homeostat.start.greeting import greeting, is_wanted
from homeostat.start.inheritance import Inheritance, bequeath, disinherit
from homeostat.start.launching import INJECTED, launched_environment
from homeostat.start.resource import make_resource, program_name


def settings(**arguments: object) -> Settings:
    """Return settings from arguments alone."""
    return load(arguments, environment={}, folder=Path("/")).settings


@pytest.mark.parametrize(
    ("words", "original", "name"),
    [
        (["/usr/bin/uvicorn", "app"], ["python", "/usr/bin/uvicorn"], "uvicorn"),
        (["-m"], ["python", "-m", "celery", "worker"], "celery"),
        (["-m"], ["python", "-m"], ""),
        (["-c"], ["python", "-c", "x"], ""),
        ([], [], ""),
    ],
)
def test_a_program_has_a_name(words: list[str], original: list[str], name: str) -> None:
    """However it was started."""
    assert program_name(words, original) == name


def test_what_has_no_value_is_not_in_the_resource() -> None:
    """An empty version says nothing."""
    attributes = make_resource(settings(service="x"), new_identity()).attributes
    assert "service.version" not in attributes
    assert attributes["service.name"] == "x"


def test_the_buffer_is_in_the_users_state_folder_unless_it_is_set() -> None:
    """A folder a service, whatever its name; none when it is off."""
    assert buffer_folder(settings(service="a/b c"), {"XDG_STATE_HOME": "/s"}) == Path("/s/homeostat/a_b_c")
    assert buffer_folder(settings(service="a"), {"HOME": "/h"}) == Path("/h/.local/state/homeostat/a")
    assert buffer_folder(settings(buffer_folder="/f"), {}) == Path("/f")
    assert buffer_folder(settings(buffer=False), {}) is None


def test_the_address_of_traces_follows_the_protocol() -> None:
    """A path is appended over HTTP, to the general address only; gRPC has none."""
    assert traces_address(settings(endpoint="http://x/")) == "http://x/v1/traces"
    assert traces_address(settings(traces_endpoint="http://y/z")) == "http://y/z"
    grpc = settings(protocol="grpc", traces_endpoint="http://y:4317")
    assert (traces_address(grpc), export_config(grpc).endpoint) == ("http://y:4317", "http://y:4317")


def test_settings_become_values_of_the_rooms() -> None:
    """In their words and within what they take."""
    made = settings(
        sampling_rules=["GET /a=0", "what"],
        sampling_slow_s=0,
        sampling_tail=True,
        sampling_tail_age_s_max=5,
        api_key="k",
        export_queue_spans_max=10,
        export_batch_spans_max=500,
        breaker_delay_s=60,
        headers={"a": "b"},
    )
    problems: list[str] = []
    sampling, export = sampling_config(made, problems), export_config(made)
    assert problems[0].startswith("Cannot read a sampling rule: what")
    assert ([str(rule) for rule in sampling.rules], sampling.slow_s) == (["GET /a=0"], None)
    assert sampling.tail is not None
    assert sampling.tail.age_s_max == 5
    assert (export.batch_spans, export.breaker_delay_max_s) == (10, 60)
    assert export.headers == {"a": "b", "authorization": "Bearer k"}


def received(_: Mapping[str, Any]) -> None:
    """Stand for `configure` in a child."""
    RECEIVED.append(dict(_))


RECEIVED: list[dict[str, Any]] = []


def test_what_children_inherit_configures_them_when_it_arrives() -> None:
    """And they leave the same to theirs."""
    RECEIVED.clear()
    again = pickle.loads(pickle.dumps(Inheritance(received, {"service": "x"})))  # noqa: S301 - our own bytes
    assert RECEIVED == [{"service": "x"}]
    pickle.loads(pickle.dumps(again))  # noqa: S301 - our own bytes
    assert RECEIVED == [{"service": "x"}] * 2


def test_processes_that_are_made_carry_it() -> None:
    """Until it is taken back."""
    inheritance = Inheritance(received, {})
    assert bequeath(inheritance)
    process = multiprocessing.get_context("spawn").Process()
    assert inheritance in vars(process)["_config"].values()
    disinherit()
    process = multiprocessing.get_context("spawn").Process()
    assert inheritance not in vars(process)["_config"].values()


def test_a_launched_command_finds_our_module_first_and_its_own_paths_after_it() -> None:
    """Once, however often it is launched."""
    first = launched_environment({"PYTHONPATH": "/mine"}, {"service": "x"})
    assert first["PYTHONPATH"] == f"{INJECTED}:/mine"
    assert first["HOMEOSTAT_SERVICE"] == "x"
    assert launched_environment(first, {})["PYTHONPATH"] == first["PYTHONPATH"]
    assert launched_environment({}, {})["PYTHONPATH"] == str(INJECTED)


class Terminal(io.StringIO):
    """Stand for a stream that a person reads."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def test_the_greeting_is_for_persons() -> None:
    """And for who asks for it; never for nobody."""
    assert is_wanted(settings(), Terminal())
    assert not is_wanted(settings(), io.StringIO())
    assert is_wanted(settings(greeting="on"), io.StringIO())
    assert not is_wanted(settings(greeting="off"), Terminal())
    assert not is_wanted(settings(greeting="on"), None)


def test_the_greeting_names_what_is_off_and_cuts_long_lists() -> None:
    """Five lines, whatever there is."""
    made = settings(service="x", enabled=False, traces=False, buffer=False, sampling_keep_errors=False)
    lines = greeting(made, ratio=0.5, instrumented=[], waiting=[f"l{n}" for n in range(10)], problems=["a", "b"])
    assert len(lines) == 5
    assert lines[0].endswith("traces 50% of requests")
    assert "instrumented: nothing; on import: l0, l1, l2, l3, l4, l5, l6, l7 and 2 more" in lines[1]
    assert "everything (argument enabled); traces (argument traces); buffer on disk (argument buffer)" in lines[3]
    assert lines[3].endswith("2 warnings above")
    assert lines[4].startswith("  at exit:      up to 5 s for what waits, the rest is dropped")
