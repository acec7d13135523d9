import io
from collections.abc import Iterable, Iterator
from typing import Any
from wsgiref.util import FileWrapper

import pytest
from flask import Flask, Response, abort, stream_with_context
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode

from homeostat.tracing.failures import FAILURES
from homeostat.tracing.wsgi import WsgiTracing, route_of
from tests.recorded_spans import Recorder, attributes_of, provider_with, sampling_provider

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def environ_of(**more: object) -> dict[str, Any]:
    """Return the environment of a request as a server makes it."""
    return {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/work",
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "shop.example:8443",
        "HTTP_USER_AGENT": "agent/1",
        "REMOTE_ADDR": "10.0.0.9",
        "wsgi.url_scheme": "https",
        **more,
    }


class Started:
    """Be a server's `start_response`."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []

    def __call__(self, *given: object) -> None:
        """Note a call."""
        self.calls.append(given)


def answering(body: Iterable[bytes], status: str = "200 OK") -> Any:  # noqa: ANN401 - a WSGI application
    """Return an application with this answer."""

    def app(_environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:  # noqa: ANN401 - PEP 3333's callable
        start_response(status, [])
        return body

    return app


def request(app: Any, recorder: Recorder, **more: object) -> list[bytes]:  # noqa: ANN401 - a WSGI application
    """Serve one request as a server does, and return its body."""
    body = WsgiTracing(app, tracer_provider=provider_with(recorder))(environ_of(**more), Started())
    try:
        return list(body)
    finally:
        close = getattr(body, "close", None)
        if close:
            close()


def test_a_request_is_one_server_span() -> None:
    """It has the stable attributes of the conventions, and no others but whose work it is."""
    recorder = Recorder()
    assert request(answering([b"ok"]), recorder, QUERY_STRING="page=2&token=t", PATH_INFO="/caf\xc3\xa9") == [b"ok"]
    span = recorder.only()
    assert (span.name, span.kind) == ("GET", SpanKind.SERVER)
    assert attributes_of(span) == {
        "http.request.method": "GET",
        "url.path": "/café",
        "url.query": "page=2&token=REDACTED",
        "url.scheme": "https",
        "network.protocol.version": "1.1",
        "server.address": "shop.example",
        "server.port": 8443,
        "client.address": "10.0.0.9",
        "user_agent.original": "agent/1",
        "http.response.status_code": 200,
    }


def test_a_request_continues_its_callers_trace() -> None:
    """The trace of the headers goes on."""
    recorder = Recorder()
    request(answering([]), recorder, HTTP_TRACEPARENT=PARENT)
    assert recorder.only().context.trace_id == 0x4BF92F3577B34DA6A3CE929D0E0E4736


def test_a_bare_environment_is_enough() -> None:
    """What a server does not say is not on the span; a method that nobody knows is `_OTHER`."""
    recorder = Recorder()
    app = WsgiTracing(answering([]), tracer_provider=provider_with(recorder))
    app({"REQUEST_METHOD": "BREW", "SERVER_NAME": "s", "SERVER_PORT": "x"}, Started())
    assert recorder.only().name == "HTTP"
    assert attributes_of(recorder.only()) == {
        "http.request.method": "_OTHER",
        "http.request.method_original": "BREW",
        "url.path": "/",
        "url.scheme": "http",
        "network.protocol.version": "1.1",
        "server.address": "s",
        "http.response.status_code": 200,
    }


def test_a_body_that_is_there_passes_untouched() -> None:
    """A list is not wrapped, and its span is over when the application returns; so is a file's."""
    recorder = Recorder()
    whole, file = [b"ok"], FileWrapper(io.BytesIO(b"file"))
    app = WsgiTracing(answering(whole), tracer_provider=provider_with(recorder))
    assert app(environ_of(), Started()) is whole
    app = WsgiTracing(answering(file), tracer_provider=provider_with(recorder))
    assert app(environ_of(**{"wsgi.file_wrapper": FileWrapper}), Started()) is file
    assert len(recorder.ended) == 2


def test_a_streamed_body_is_inside_its_span() -> None:
    """While a piece is made the span is current, and between pieces it is not; the end of the body ends it."""
    recorder, seen = Recorder(), []

    def pieces() -> Iterator[bytes]:
        for piece in (b"a", b"b"):
            seen.append(trace.get_current_span().get_span_context().is_valid)
            yield piece

    body = iter(WsgiTracing(answering(pieces()), tracer_provider=provider_with(recorder))(environ_of(), Started()))
    assert next(body) == b"a"
    assert not trace.get_current_span().get_span_context().is_valid
    assert recorder.ended == []
    assert list(body) == [b"b"]
    assert seen == [True, True]
    assert "error.type" not in attributes_of(recorder.only())


def test_a_caller_that_went_away_is_told_apart() -> None:
    """A body that is closed before its end had nobody to read it; its generator is closed inside the span."""
    recorder, cleaned = Recorder(), []

    def pieces() -> Iterator[bytes]:
        try:
            yield b"a"
        finally:
            cleaned.append(trace.get_current_span().get_span_context().is_valid)

    body: Any = WsgiTracing(answering(pieces()), tracer_provider=provider_with(recorder))(environ_of(), Started())
    next(body)
    body.close()
    body.close()
    assert cleaned == [True]
    assert attributes_of(recorder.only())["error.type"] == "client_disconnected"
    assert recorder.only().status.status_code is StatusCode.UNSET


def test_an_exception_is_recorded_and_goes_on() -> None:
    """What leaves the application reaches the server as it is, from the call or from the body."""
    recorder = Recorder()

    def failing(*_: object) -> Iterable[bytes]:
        raise KeyError("k")

    def pieces() -> Iterator[bytes]:
        yield b"a"
        raise ValueError("v")

    with pytest.raises(KeyError):
        request(failing, recorder)
    with pytest.raises(ValueError, match="v"):
        request(answering(pieces()), recorder)
    assert [attributes_of(span)["error.type"] for span in recorder.ended] == ["KeyError", "ValueError"]
    assert [attributes_of(span)["http.response.status_code"] for span in recorder.ended] == [500, 200]


def test_a_status_that_is_replaced_counts() -> None:
    """An application may start again after an exception; the last status is the response's."""
    recorder, started = Recorder(), Started()

    def app(_environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:  # noqa: ANN401 - PEP 3333's callable
        start_response("200 OK", [])
        start_response("500 Broken", [], (ValueError, ValueError("v"), None))
        return []

    WsgiTracing(app, tracer_provider=provider_with(recorder))(environ_of(), started)
    assert attributes_of(recorder.only())["error.type"] == "500"
    assert [len(call) for call in started.calls] == [2, 3]


def test_a_status_without_a_number_is_none() -> None:
    """What is no status is not on the span."""
    recorder = Recorder()
    request(answering([], status="odd"), recorder)
    assert "http.response.status_code" not in attributes_of(recorder.only())


def test_excluded_paths_have_no_spans_and_neither_have_nested_ones() -> None:
    """A path that is left out passes through; two middlewares in one request are one span."""
    recorder = Recorder()
    provider = provider_with(recorder)
    inner = WsgiTracing(answering([b"ok"]), tracer_provider=provider)
    app = WsgiTracing(inner, tracer_provider=provider, excluded_paths=["/health"])
    assert app(environ_of(), Started()) == [b"ok"]
    assert len(recorder.ended) == 1
    request(WsgiTracing(answering([b"ok"]), excluded_paths=["/health"]), Recorder(), PATH_INFO="/health")
    assert app(environ_of(PATH_INFO="/health"), Started()) == [b"ok"]


def test_a_broken_environment_is_the_applications_affair() -> None:
    """What the middleware cannot read it passes on, and what it cannot say at the end costs that alone."""
    recorder = Recorder()
    app = WsgiTracing(answering([b"ok"]), tracer_provider=provider_with(recorder))
    assert app({}, Started()) == [b"ok"]

    def failing(_environ: dict[str, Any]) -> str:
        raise RuntimeError("route")

    odd = WsgiTracing(answering([b"ok"]), tracer_provider=provider_with(recorder), route=failing)
    assert odd(environ_of(), Started()) == [b"ok"]
    assert FAILURES.counts() == {"beginning a request's span": 1, "telling the route of a request": 2}
    assert len(recorder.ended) == 1


def test_an_unsampled_request_that_fails_is_kept() -> None:
    """At 0 % the span of a failed request is there; others are not."""
    recorder = Recorder()
    provider = sampling_provider(recorder, ratio=0.0)
    for status in ("200 OK", "500 Broken"):
        WsgiTracing(answering([], status=status), tracer_provider=provider)(environ_of(), Started())
    assert attributes_of(recorder.only())["error.type"] == "500"


def test_a_hook_may_leave_the_route() -> None:
    """A template that a framework's hook left wins over what was matched."""
    assert route_of({"homeostat.route": "/a/<b>"}) == "/a/<b>"
    assert route_of({}) is None


def flask() -> Flask:
    """Return an application with routes."""
    app = Flask("shop")

    @app.get("/orders/<int:number>")
    def order(number: int) -> str:
        return str(number)

    @app.get("/refused")
    def refused() -> str:
        return abort(418)

    @app.get("/broken")
    def broken() -> str:
        raise ValueError("broken")

    @app.get("/stream")
    def stream() -> Response:
        return Response(stream_with_context(iter(["a", "b"])))

    return app


@pytest.mark.parametrize(
    ("path", "name", "status"),
    [
        ("/orders/5", "GET /orders/<int:number>", 200),
        ("/refused", "GET /refused", 418),
        ("/broken", "GET /broken", 500),
        ("/stream", "GET /stream", 200),
        ("/nothing", "GET", 404),
    ],
)
def test_flask_requests_are_named_by_their_rule(path: str, name: str, status: int) -> None:
    """The rule that Flask matched is the route, whatever came of the request."""
    recorder = Recorder()
    app = flask()
    app.wsgi_app = WsgiTracing(app.wsgi_app, tracer_provider=provider_with(recorder))  # type: ignore[method-assign]
    with app.test_client() as client:
        response = client.get(path)
        assert response.data is not None
        response.close()
    assert response.status_code == status
    assert (recorder.only().name, attributes_of(recorder.only())["http.response.status_code"]) == (name, status)
    assert "client_disconnected" not in attributes_of(recorder.only()).values()
