import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.receiver import Receiver, receiving
from tests.started import run_program

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Give a receiver of spans."""
    with receiving() as found:
        yield found


def test_a_second_call_returns_the_same_process_and_tells_what_has_no_effect(tmp_path: Path) -> None:
    """It may add an application; other values are told, once."""
    program = """
        import homeostat
        from fastapi import FastAPI
        first = homeostat.configure("one", exit_budget_s=0)
        app = FastAPI()
        second = homeostat.configure("two", app=app, sampling_ratio=0.5, nonsense=1)
        third = homeostat.configure("two", sampling_ratio="x")
        same = homeostat.configure("one")
        answer([second.instance_id == first.instance_id, app._homeostat_is_hooked, same.settings.service,
                list(same.problems), homeostat.current_handle().is_active])
    """
    ended = run_program(program, folder=tmp_path)
    told = "configure() was called again with other values, which have no effect:"
    problems = [f"{told} service, sampling_ratio, nonsense.", f"{told} service, sampling_ratio."]
    assert ended.answer == [True, True, "one", problems, True], ended.errors
    assert ended.errors.count("homeostat: configure() was called again") == 2


def test_a_second_call_may_name_the_service_if_nobody_had(tmp_path: Path) -> None:
    """Once; a name that cannot be read is told and changes nothing."""
    program = """
        import homeostat
        handle = homeostat.configure(exit_budget_s=0)
        homeostat.configure(7)
        homeostat.configure("orders", service_version="7")
        homeostat.configure("other")
        settings = handle.settings
        answer([settings.service, settings.service_version, settings.origin("service"), len(handle.problems)])
    """
    ended = run_program(program, folder=tmp_path)
    assert ended.answer == ["orders", "7", "argument service", 2], ended.errors


def test_it_neither_raises_nor_waits_whatever_it_is_given(tmp_path: Path) -> None:
    """Values of every wrong kind, and a receiver that is not there."""
    program = """
        import time, homeostat
        began = time.monotonic()
        handle = homeostat.configure(3, app=object(), sampling_ratio=7, headers="x", sampling_rules=["what"],
                                     endpoint="http://192.0.2.1:1", exit_budget_s=0)
        with homeostat.span("work"):
            pass
        answer([time.monotonic() - began < 2, len(handle.problems) > 2 and handle.is_active])
    """
    ended = run_program(program, folder=tmp_path)
    assert (ended.code, ended.answer) == (0, [True, True]), ended.errors


def test_what_cannot_start_leaves_a_program_that_works(tmp_path: Path) -> None:
    """A fault while it is built is told once, and everything does nothing."""
    program = """
        import homeostat
        handle = homeostat.configure("x", endpoint="ftp://nowhere")
        with homeostat.span("work") as span:
            span.set_attribute("a", 1)
        app = object()
        answer([handle.is_active, handle.flush(), handle.instance_id, handle.instrument(app) is app,
                handle.change_sampling(ratio=1), handle.add_span_processor(None), handle.shutdown()])
    """
    ended = run_program(program, folder=tmp_path)
    assert ended.answer == [False, False, "", True, False, None, None], ended.errors
    assert ended.errors.count("could not start") == 1


@pytest.mark.parametrize("setting", ["HOMEOSTAT_ENABLED", "HOMEOSTAT_TRACES"])
def test_it_can_be_turned_off(setting: str, receiver: Receiver, tmp_path: Path) -> None:
    """Nothing is hooked, recorded or sent."""
    program = """
        import homeostat
        from fastapi import FastAPI
        app = FastAPI()
        handle = homeostat.configure("x", app=app)
        with homeostat.span("work"):
            pass
        answer([handle.is_active, hasattr(app, "_homeostat_is_hooked")])
    """
    ended = run_program(program, folder=tmp_path, variables={setting: "off", "HOMEOSTAT_ENDPOINT": receiver.url})
    assert ended.answer == [False, False], ended.errors
    assert receiver.spans() == []


def test_a_provider_that_was_there_keeps_its_spans_and_sends_them_to_us_too(receiver: Receiver, tmp_path: Path) -> None:
    """Nothing is lost by the order of two set-ups, and the duplicate is told."""
    program = """
        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider
        before = TracerProvider()
        trace.set_tracer_provider(before)
        import homeostat
        handle = homeostat.configure("x")
        with homeostat.span("work"):
            pass
        answer([trace.get_tracer_provider() is before, list(handle.problems)])
    """
    ended = run_program(program, folder=tmp_path, variables={"HOMEOSTAT_ENDPOINT": receiver.url})
    is_same, (problem,) = ended.answer
    assert is_same
    assert "another tracer provider was set before" in problem
    assert [span.name for span in receiver.wait_for(1, timeout_s=5)] == ["work"]


def test_the_resource_says_who_it_is(receiver: Receiver, tmp_path: Path) -> None:
    """By the semantic conventions; settings of their own win over the list of attributes."""
    program = """
        import homeostat, os
        handle = homeostat.configure("orders", service_version="1.2", service_namespace="shop", environment="test",
                                     resource_attributes={"team": "a", "service.name": "b"}, api_key="k",
                                     baggage_attributes=["tier"])
        from opentelemetry import baggage, context
        context.attach(baggage.set_baggage("tier", "gold"))
        with homeostat.span("work"):
            pass
        answer([handle.instance_id, os.getpid(), handle.flush()])
    """
    ended = run_program(program, folder=tmp_path, variables={"HOMEOSTAT_ENDPOINT": receiver.url})
    instance, pid, flushed = ended.answer
    (span,) = receiver.wait_for(1, timeout_s=5)
    expected = {
        "service.name": "orders",
        "service.version": "1.2",
        "service.namespace": "shop",
        "service.instance.id": instance,
        "deployment.environment.name": "test",
        "team": "a",
        "process.pid": pid,
        "telemetry.distro.name": "homeostat",
        "telemetry.sdk.language": "python",
    }
    assert span.resource | expected == span.resource
    assert receiver.headers[0]["authorization"] == "Bearer k"
    assert (flushed, span.attributes["tier"]) == (True, "gold")


def test_sampling_changes_at_run_time(receiver: Receiver, tmp_path: Path) -> None:
    """From the next trace on, in this process; what is no rule changes nothing and is told."""
    program = """
        import homeostat
        handle = homeostat.configure("x", sampling_ratio=1)
        def work(name):
            with homeostat.span(name):
                pass
        work("a")
        changed = handle.change_sampling(ratio=0, rules=["c=1"], keep_errors=False, slow_s=0)
        work("b")
        work("c")
        answer([changed, handle.change_sampling(rules=["?"]), len(handle.problems)])
    """
    ended = run_program(program, folder=tmp_path, variables={"HOMEOSTAT_ENDPOINT": receiver.url})
    assert ended.answer == [True, False, 1], ended.errors
    assert {span.name for span in receiver.wait_for(2, timeout_s=5)} == {"a", "c"}


def test_a_processor_of_the_program_sees_spans_and_its_end(tmp_path: Path) -> None:
    """One that fails or does not end harms nobody and keeps nobody."""
    program = """
        import homeostat, sys, time
        from opentelemetry.sdk.trace import SpanProcessor
        class Mine(SpanProcessor):
            def on_end(self, span):
                seen.append(span.name)
                raise RuntimeError
            def shutdown(self):
                sys.stderr.write("shutdown of mine")
                time.sleep(60)
        seen = []
        handle = homeostat.configure("x", exit_budget_s=1, buffer=False)
        handle.add_span_processor(Mine())
        with homeostat.span("work"):
            pass
        began = time.monotonic()
        handle.shutdown()
        handle.shutdown()
        answer([seen, time.monotonic() - began < 2, handle.is_active])
    """
    ended = run_program(program, folder=tmp_path, variables={"HOMEOSTAT_ENDPOINT": NOWHERE})
    assert ended.answer == [["work"], True, False], ended.errors
    assert "shutdown of mine" in ended.errors


def test_five_lines_greet_whoever_asks_for_them(tmp_path: Path) -> None:
    """What is instrumented, where data goes, what is off and why, the exit budget, and the doctor."""
    program = """
        import httpx, homeostat
        homeostat.configure("orders", environment="production", buffer=False, sampling_rations=1)
    """
    ended = run_program(program, folder=tmp_path, variables={"HOMEOSTAT_GREETING": "on"})
    assert "configure() has no argument sampling_rations" in ended.errors.splitlines()[0]
    lines = ended.errors.splitlines()[-5:]
    assert lines[0].startswith("homeostat ")
    assert "orders (production)" in lines[0]
    assert "traces 10% of requests and all errors" in lines[0]
    assert "instrumented: httpx; on import: " in lines[1]
    assert "http://localhost:4318 (http/protobuf, without a key)" in lines[2]
    assert "buffer on disk (argument buffer); 1 warning above" in lines[3]
    assert "up to 5 s" in lines[4]
    assert "homeostat doctor" in lines[4]


@pytest.mark.parametrize("value", ["auto", "off"])
def test_nothing_is_said_where_no_person_reads(value: str, tmp_path: Path) -> None:
    """Logs of production are not for greetings."""
    ended = run_program(
        "import homeostat\nhomeostat.configure('x')", folder=tmp_path, variables={"HOMEOSTAT_GREETING": value}
    )
    assert ended.errors == ""


def test_a_dead_receiver_does_not_hold_the_exit(tmp_path: Path) -> None:
    """What waits is kept on disk, and the process ends within its budget."""
    program = """
        import homeostat, time, atexit
        handle = homeostat.configure("x", exit_budget_s=1)
        for number in range(100):
            with homeostat.span("work"):
                pass
        began = time.monotonic()
        handle.shutdown()
        answer(time.monotonic() - began)
    """
    ended = run_program(program, folder=tmp_path, variables={"HOMEOSTAT_ENDPOINT": "http://192.0.2.1:4318"})
    assert ended.answer < 1.5, ended.errors
    assert any(path.stat().st_size for path in (tmp_path / "buffer").rglob("*") if path.is_file())


def test_sigterm_of_a_program_that_handles_nothing_saves_and_dies_of_it(receiver: Receiver, tmp_path: Path) -> None:
    """Its parent sees the signal, and the receiver what was recorded."""
    program = """
        import homeostat, os, signal
        homeostat.configure("x", export_delay_s=60)
        with homeostat.span("work"):
            pass
        os.kill(os.getpid(), signal.SIGTERM)
    """
    ended = run_program(program, folder=tmp_path, variables={"HOMEOSTAT_ENDPOINT": receiver.url})
    assert ended.code == -signal.SIGTERM, ended.errors
    assert len(receiver.wait_for(1, timeout_s=5)) == 1


def test_a_handler_that_ends_the_process_without_a_word_loses_nothing(receiver: Receiver, tmp_path: Path) -> None:
    """What was recorded is sent before it is called."""
    program = """
        import homeostat, os, signal
        signal.signal(signal.SIGTERM, lambda *_: os._exit(7))
        homeostat.configure("x", export_delay_s=60)
        with homeostat.span("work"):
            pass
        os.kill(os.getpid(), signal.SIGTERM)
    """
    ended = run_program(program, folder=tmp_path, variables={"HOMEOSTAT_ENDPOINT": receiver.url})
    assert ended.code == 7, ended.errors
    assert len(receiver.wait_for(1, timeout_s=5)) == 1


def test_a_bare_application_is_wrapped_by_instrument(receiver: Receiver, tmp_path: Path) -> None:
    """`configure(app=…)` says so; `instrument` configures when nobody has."""
    program = """
        import asyncio, homeostat
        async def app(scope, receive, send):
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})
        wrapped = homeostat.instrument(app)
        homeostat.configure(app=app)
        async def nothing(message=None):
            return {"type": "http.request"}
        scope = {"type": "http", "method": "GET", "path": "/a", "headers": [], "query_string": b"", "scheme": "http"}
        asyncio.run(wrapped(scope, nothing, nothing))
        def wsgi(environ, start_response):
            start_response("200 OK", [])
            return [b""]
        environ = {"REQUEST_METHOD": "POST", "PATH_INFO": "/b", "wsgi.url_scheme": "http"}
        answered = homeostat.instrument(wsgi)(environ, lambda *_: None)
        list(answered)
        getattr(answered, "close", list)()
        answer([wrapped is app, list(homeostat.current_handle().problems)])
    """
    ended = run_program(program, folder=tmp_path, variables={"HOMEOSTAT_ENDPOINT": receiver.url})
    assert ended.answer[0] is False, ended.errors
    assert "app=function cannot be hooked in place" in ended.answer[1][0]
    assert {span.name for span in receiver.wait_for(2, timeout_s=5)} == {"GET", "POST"}


def test_a_fault_of_our_own_is_told_and_costs_telemetry_only(tmp_path: Path) -> None:
    """With a traceback, for the report; the program goes on."""
    program = """
        import homeostat.start.assembly as assembly
        assembly.Exporting = None
        import homeostat
        handle = homeostat.configure("x")
        answer([handle.is_active, handle.settings.service])
    """
    ended = run_program(program, folder=tmp_path)
    assert ended.answer == [False, "x"], ended.errors
    assert "could not start, and does nothing: TypeError" in ended.errors
    assert "Traceback" in ended.errors
