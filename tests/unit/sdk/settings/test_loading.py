from collections.abc import Mapping
from pathlib import Path

import pytest

from homeostat.settings.loading import Loaded, load, parsed
from homeostat.settings.rows import bounds_text
from homeostat.settings.table import SETTINGS, SETTINGS_BY_NAME, Settings
from homeostat.start.arguments import Arguments
from homeostat_server.runtime.settings import SETTINGS as SERVER_SETTINGS
from tests.started import run_program

EMPTY = Path("/")


def loaded(
    arguments: Mapping[str, object] | None = None, environment: Mapping[str, str] | None = None, folder: Path = EMPTY
) -> Loaded:
    """Return what is loaded, from nowhere else than what is given."""
    return load(arguments or {}, environment=environment or {}, folder=folder)


def test_without_anything_each_setting_has_its_default() -> None:
    """A service starts with nothing set, and every value says that it is a default."""
    found = loaded()
    assert found.settings == Settings()
    assert (found.problems, found.overruled) == ((), ())
    assert {found.settings.origin(setting.name) for setting in SETTINGS} == {"default"}


def test_each_origin_wins_over_those_below(tmp_path: Path) -> None:
    """Default, pyproject, declarative file, OTEL variable, own variable, argument: the last that speaks is heard."""
    declarative = tmp_path / "otel.yaml"
    declarative.write_text("tracer_provider: {sampler: {trace_id_ratio_based: {ratio: 0.2}}}")
    (tmp_path / "pyproject.toml").write_text("[tool.homeostat]\nsampling_ratio = 0.1\n")
    layers: list[tuple[dict[str, object], dict[str, str], float, str]] = [
        ({}, {}, 0.1, f"file {tmp_path}/pyproject.toml"),
        ({}, {"OTEL_CONFIG_FILE": str(declarative)}, 0.2, f"file {declarative}"),
        (
            {},
            {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.3"},
            0.3,
            "variable OTEL_TRACES_SAMPLER_ARG",
        ),
        ({}, {"HOMEOSTAT_SAMPLING_RATIO": "0.4"}, 0.4, "variable HOMEOSTAT_SAMPLING_RATIO"),
        ({"sampling_ratio": 0.5}, {}, 0.5, "argument sampling_ratio"),
    ]
    environment: dict[str, str] = {}
    found = loaded()
    for arguments, variables, ratio, origin in layers:
        environment |= variables
        found = loaded(arguments, environment, tmp_path)
        assert (found.settings.sampling_ratio, found.settings.origin("sampling_ratio")) == (ratio, origin)
    assert [str(one).partition(" from")[0] for one in found.overruled] == [
        "sampling_ratio = 0.1",
        "sampling_ratio = 0.2",
        "sampling_ratio = 0.3",
        "sampling_ratio = 0.4",
    ]


def test_a_value_that_cannot_be_read_is_told_and_the_lower_one_counts() -> None:
    """A service starts whatever its settings are."""
    environment = {"HOMEOSTAT_EXPORT_DELAY_S": "soon", "OTEL_BSP_SCHEDULE_DELAY": "2000"}
    found = loaded({"exit_budget_s": 60}, environment)
    assert (found.settings.export_delay_s, found.settings.exit_budget_s) == (2.0, 5.0)
    assert [problem.removeprefix("Cannot use the setting ") for problem in found.problems] == [
        "export_delay_s from variable HOMEOSTAT_EXPORT_DELAY_S: soon (Give a number); it was ignored.",
        "exit_budget_s from argument exit_budget_s: 60 (Give 0 to 5); it was ignored.",
    ]


def test_an_unknown_argument_is_told_with_the_nearest_name() -> None:
    """A typing error in a name has no effect, and does not stay unnoticed."""
    assert loaded({"sampling_ration": 1}).problems == (
        "configure() has no argument sampling_ration. Did you mean sampling_ratio?",
    )


def test_a_secret_is_not_repeated_in_a_problem() -> None:
    """What is wrong with headers is said without their values."""
    (problem,) = loaded({}, {"HOMEOSTAT_HEADERS": "authorization: hunter2"}).problems
    assert "hunter2" not in problem


def test_pairs_of_several_origins_are_joined() -> None:
    """Headers and resource attributes add up; for one key the higher origin wins."""
    environment = {
        "OTEL_RESOURCE_ATTRIBUTES": "team=shop,zone=a,service.name=from-attributes",
        "HOMEOSTAT_RESOURCE_ATTRIBUTES": "zone=b",
        "OTEL_SERVICE_NAME": "orders",
    }
    settings = loaded({}, environment).settings
    assert settings.resource_attributes == {"team": "shop", "zone": "b"}
    assert settings.service == "orders"


def test_the_nearest_pyproject_is_read_and_its_foreign_parts_are_not(tmp_path: Path) -> None:
    """Keys that are no settings are told; tables of other tools below ours are not ours to judge."""
    folder = tmp_path / "below"
    folder.mkdir()
    text = '[tool.homeostat]\nservice = "shop"\nservce = "x"\n[tool.homeostat.gates]\nx = 1\n'
    (tmp_path / "pyproject.toml").write_text(text)
    found = loaded(folder=folder)
    assert found.settings.service == "shop"
    assert found.problems == (
        f"{tmp_path}/pyproject.toml: no setting is called servce; it was ignored. Did you mean service?",
    )


@pytest.mark.parametrize("content", [b"[tool.homeostat\n", b"[tool.homeostat]\nservice = '\xff'\n"])
def test_a_broken_pyproject_is_told(tmp_path: Path, content: bytes) -> None:
    """It may belong to another tool's mistake: the service starts."""
    (tmp_path / "pyproject.toml").write_bytes(content)
    (problem,) = loaded(folder=tmp_path).problems
    assert problem.startswith(f"Cannot read {tmp_path}/pyproject.toml")


def test_a_pyproject_without_our_table_is_not_even_parsed(tmp_path: Path) -> None:
    """Most have none, and parsing costs more than the rest of the start."""
    (tmp_path / "pyproject.toml").write_text("not toml at all [")
    assert loaded(folder=tmp_path).problems == ()


def test_a_pyproject_that_is_not_a_file_is_none(tmp_path: Path) -> None:
    """The search goes on above it."""
    (tmp_path / "pyproject.toml").mkdir()
    assert loaded(folder=tmp_path).problems == ()


def test_every_setting_can_be_given_as_an_argument() -> None:
    """The type of `configure()` has each row of the table, and no other."""
    assert set(Arguments.__annotations__) | {"service"} == set(SETTINGS_BY_NAME)


def test_no_variable_means_one_thing_to_a_service_and_another_to_the_server() -> None:
    """Both may see the same environment."""
    assert {setting.variable for setting in SETTINGS}.isdisjoint(setting.variable for setting in SERVER_SETTINGS)


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_every_default_can_be_written_and_read_back(setting: object) -> None:
    """What the reference page shows as a default can be typed."""
    row = SETTINGS_BY_NAME[str(getattr(setting, "name", ""))]
    assert parsed(row, row.kind.show(row.default), "test") == row.default


def test_bounds_are_told_for_a_reader() -> None:
    """In the unit of the setting; nothing where there are none."""
    assert bounds_text(SETTINGS_BY_NAME["buffer_bytes_max"]) == "64KiB to 1GiB"
    assert bounds_text(SETTINGS_BY_NAME["service"]) == ""


def test_a_path_may_be_given_as_a_path() -> None:
    """Arguments need not be text."""
    assert loaded({"certificate": Path("/a.pem")}).settings.certificate == Path("/a.pem")


def test_a_list_may_be_given_as_a_list() -> None:
    """And as text, separated as its kind says."""
    assert loaded({"instrument": ["redis"]}).settings.instrument == ("redis",)
    rules = {"HOMEOSTAT_SAMPLING_RULES": "GET /a=0; /b=1"}
    assert loaded({}, rules).settings.sampling_rules == ("GET /a=0", "/b=1")


def test_the_address_depends_on_the_protocol_unless_it_is_set() -> None:
    """OTLP has a port for each."""
    assert loaded().settings.target == "http://localhost:4318"
    assert loaded({"protocol": "grpc"}).settings.target == "http://localhost:4317"
    assert loaded({"endpoint": "http://x"}).settings.target == "http://x"


def test_a_declarative_file_that_cannot_be_read_is_told() -> None:
    """And passed over, like any value."""
    (problem,) = loaded({}, {"OTEL_CONFIG_FILE": "/nowhere/otel.yaml"}).problems
    assert problem.startswith("Cannot read OTEL_CONFIG_FILE: /nowhere/otel.yaml")


def test_without_a_parser_for_yaml_the_file_is_told(tmp_path: Path) -> None:
    """It is an optional package, and JSON needs none."""
    (tmp_path / "otel.yaml").write_text("disabled: true\n")
    program = """
        import sys
        from pathlib import Path
        sys.modules["yaml"] = None
        from homeostat.settings.loading import load
        loaded = load({}, environment={"OTEL_CONFIG_FILE": "otel.yaml"}, folder=Path("/"))
        answer([loaded.settings.enabled, list(loaded.problems)])
    """
    enabled, (problem,) = run_program(program, folder=tmp_path).answer
    assert enabled
    assert "pip install pyyaml" in problem
