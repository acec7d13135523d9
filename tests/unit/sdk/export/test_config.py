from typing import Any

import pytest

from homeostat.exceptions import SettingInvalid
from homeostat.export import ExportConfig


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        ("http://localhost:4318", "http://localhost:4318/v1/traces"),
        ("http://localhost:4318/", "http://localhost:4318/v1/traces"),
        ("https://example.com/otlp", "https://example.com/otlp/v1/traces"),
        ("https://[::1]:1/otlp/?a=b", "https://[::1]:1/otlp/v1/traces?a=b"),
    ],
)
def test_the_path_of_a_signal_is_put_behind_the_endpoint(endpoint: str, url: str) -> None:
    """As OTLP says it."""
    assert ExportConfig(endpoint=endpoint).url("traces").geturl() == url


def test_an_endpoint_of_one_signal_is_used_as_it_is() -> None:
    """Nothing is put behind it."""
    config = ExportConfig(signal_endpoints={"traces": "http://other:1/in"})
    assert config.url("traces").geturl() == "http://other:1/in"
    assert config.url("logs").geturl() == "http://localhost:4318/v1/logs"


@pytest.mark.parametrize(
    "wrong",
    [
        {"endpoint": "localhost:4318"},
        {"endpoint": "ftp://localhost"},
        {"endpoint": "http://"},
        {"endpoint": "http://localhost:port"},
        {"endpoint": "http://localhost:0"},
        {"endpoint": "http://[::1"},
        {"signal_endpoints": {"logs": "nowhere"}},
        {"protocol": "http/json"},
        {"compression": "zstd"},
        {"durability": "prayer"},
        {"queue_spans": 0},
        {"timeout_s": -1.0},
    ],
)
def test_what_cannot_work_is_refused_at_once(wrong: dict[str, Any]) -> None:
    """No thread finds it out later."""
    with pytest.raises(SettingInvalid):
        ExportConfig(**wrong)


def test_writing_ahead_gathers_more_often() -> None:
    """What a killed process loses is what was not gathered."""
    assert ExportConfig().gather_delay_s == 5
    assert ExportConfig(durability="write-ahead").gather_delay_s == 0.2
    assert ExportConfig(durability="write-ahead", delay_s=0.1).gather_delay_s == 0.1
