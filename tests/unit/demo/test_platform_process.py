import socket

from demo.platform_process import HOST, READY, is_free, plain_environment


def test_the_ready_line_says_where_the_platform_listens() -> None:
    """Both addresses are read from it."""
    line = (
        "homeostat 0.1.0 is ready after 1.2 s: http://127.0.0.1:40123 (OTLP/HTTP and API, documented at /docs),"
        " gRPC on 127.0.0.1:40124, data in /tmp/x, open on loopback, no keys"
    )
    found = READY.search(f"a log line\n{line}\n")
    assert found is not None
    assert (found["http"], found["grpc"]) == ("http://127.0.0.1:40123", "127.0.0.1:40124")


def test_a_port_that_is_listened_on_is_not_free() -> None:
    """It is free again when the listener is gone."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        listener.listen()
        port = listener.getsockname()[1]
        assert not is_free(port)
    assert is_free(port)


def test_the_environment_of_a_child_leads_nowhere_else() -> None:
    """Neither settings of another platform, nor those of an SDK, nor a proxy reach it."""
    elsewhere = dict.fromkeys(["HOMEOSTAT_DATA", "OTEL_SERVICE_NAME", "https_proxy", "ALL_PROXY"], "elsewhere")
    assert plain_environment({"PATH": "/bin", **elsewhere}) == {"PATH": "/bin"}
