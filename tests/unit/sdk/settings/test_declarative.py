import json
from pathlib import Path

import pytest

from homeostat.exceptions import SettingInvalid
from homeostat.settings.declarative import read_declarative

FULL = """
file_format: "1.0"
disabled: false
resource:
  attributes:
    - name: service.name
      value: ${SERVICE:-orders}
    - name: team
      value: shop
  attributes_list: "zone=a"
  detectors: []
propagator:
  composite: [tracecontext, baggage]
meter_provider:
  readers: []
tracer_provider:
  processors:
    - batch:
        schedule_delay: 1000
        export_timeout: 30000
        max_queue_size: 100
        max_export_batch_size: 50
        exporter:
          otlp_http:
            endpoint: http://collector:4318/v1/traces
            headers:
              - name: authorization
                value: Bearer $$x
            compression: gzip
            timeout: 10000
            encoding: protobuf
            tls:
              ca_file: /ca.pem
    - simple:
        exporter:
          console:
  sampler:
    parent_based:
      root:
        trace_id_ratio_based:
          ratio: 0.25
  limits:
    attribute_count_limit: 10
"""


def read(tmp_path: Path, text: str, name: str = "otel.yaml", **environment: str) -> tuple[dict[str, object], list[str]]:
    """Return what a file gives, the last of each setting, and the problems."""
    path = tmp_path / name
    path.write_text(text)
    problems: list[str] = []
    given = {entry.setting: entry.value for entry in read_declarative(path, environment, problems)}
    return given, [problem.removeprefix(f"file {path}: ").partition(" has no effect")[0] for problem in problems]


def test_what_the_table_has_is_taken_and_the_rest_is_named(tmp_path: Path) -> None:
    """Milliseconds become seconds; nothing in the file is passed over silently."""
    given, problems = read(tmp_path, FULL)
    assert given == {
        "enabled": True,
        "service": "orders",
        "resource_attributes": {"zone": "a", "team": "shop"},
        "export_delay_s": 1.0,
        "export_queue_spans_max": 100,
        "export_batch_spans_max": 50,
        "protocol": "http/protobuf",
        "traces_endpoint": "http://collector:4318/v1/traces",
        "headers": {"authorization": "Bearer $x"},
        "compression": "gzip",
        "export_timeout_s": 10.0,
        "certificate": "/ca.pem",
        "sampling_ratio": 0.25,
    }
    assert sorted(problems) == [
        "meter_provider",
        "resource.detectors",
        "tracer_provider.limits",
        "tracer_provider.processors.batch.export_timeout",
        "tracer_provider.processors.exporter.otlp_http.encoding",
        "tracer_provider.processors[1]",
    ]


def test_variables_are_substituted(tmp_path: Path) -> None:
    """With and without a prefix and a default; one that is not set and has no default is empty."""
    text = 'resource: {attributes_list: "a=${A},b=${env:B},c=${C:-d}"}'
    given, _ = read(tmp_path, text, A="1", B="2")
    assert given["resource_attributes"] == {"a": "1", "b": "2", "c": "d"}


def test_json_needs_no_package(tmp_path: Path) -> None:
    """The schema is the same."""
    given, problems = read(tmp_path, json.dumps({"disabled": True}), "otel.json")
    assert (given, problems) == ({"enabled": False}, [])


@pytest.mark.parametrize(
    ("sampler", "ratio"),
    [
        ("{always_on: }", 1.0),
        ("{always_off: }", 0.0),
        ("{parent_based: }", 1.0),
        ("{parent_based: {root: {always_off: }}}", 0.0),
    ],
)
def test_samplers_are_ratios(tmp_path: Path, sampler: str, ratio: float) -> None:
    """Those that decide by share."""
    given, _ = read(tmp_path, f"tracer_provider: {{sampler: {sampler}}}")
    assert given == {"sampling_ratio": ratio}


def test_what_is_not_known_inside_is_named(tmp_path: Path) -> None:
    """Another sampler, another exporter."""
    text = "tracer_provider: {sampler: {jaeger_remote: {}}, processors: [{simple: {exporter: {console: }}}]}"
    given, problems = read(tmp_path, text)
    assert given == {}
    assert sorted(problems) == ["tracer_provider.processors.exporter.console", "tracer_provider.sampler.jaeger_remote"]


@pytest.mark.parametrize(
    ("name", "text", "hint"),
    [("a.yaml", "[", "not YAML"), ("a.json", "{", "not JSON"), ("a.yaml", "3", "no mapping")],
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, name: str, text: str, hint: str) -> None:
    """With a hint; the loading tells it and goes on."""
    with pytest.raises(SettingInvalid, match=hint):
        read(tmp_path, text, name)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """The same."""
    with pytest.raises(SettingInvalid, match="No such file"):
        read_declarative(tmp_path / "none.yaml", {}, [])
