from pathlib import Path

import pytest

from homeostat.settings.kinds import MEBIBYTE, Address, LogLevel, mask_password
from homeostat.settings.rows import bounds_text
from homeostat_server.exceptions import SettingInvalid
from homeostat_server.runtime.settings import SETTINGS, SETTINGS_BY_NAME, Settings
from homeostat_server.runtime.settings_loading import load_settings, unknown_variables


def file_with(folder: Path, text: str) -> dict[str, str]:
    """Return an environment that names a settings file with this text."""
    path = folder / "homeostat.toml"
    path.write_text(text, encoding="utf-8")
    return {"HOMEOSTAT_CONFIG": str(path)}


def test_without_anything_given_every_value_is_the_default() -> None:
    """The defaults are the table's, and each says so."""
    settings = load_settings({}, environment={})
    assert settings == Settings()
    assert {settings.origin(setting.name) for setting in SETTINGS} == {"default"}


def test_flag_wins_over_variable_over_file_over_default(tmp_path: Path) -> None:
    """Each value comes from the strongest source and remembers it."""
    environment = {**file_with(tmp_path, "node = 1\nspool_gather_ms = 1\nquery_rows_max = 1"), "HOMEOSTAT_NODE": "2"}
    settings = load_settings({"node": "3"}, environment={**environment, "HOMEOSTAT_SPOOL_GATHER_MS": "2"})
    assert (settings.node, settings.spool_gather_ms, settings.query_rows_max) == (3, 2, 1)
    assert settings.origin("node") == "flag --node"
    assert settings.origin("spool_gather_ms") == "variable HOMEOSTAT_SPOOL_GATHER_MS"
    assert settings.origin("query_rows_max") == f"file {tmp_path / 'homeostat.toml'}"


def test_an_empty_variable_counts_as_not_given() -> None:
    """`HOMEOSTAT_NODE=` in a compose file does not fail the start."""
    assert load_settings({}, environment={"HOMEOSTAT_NODE": ""}).node == 0


def test_toml_values_are_taken_in_their_own_types(tmp_path: Path) -> None:
    """Numbers, switches and text need no quotes that TOML does not need."""
    text = (
        'http = "0.0.0.0:80"\nself_traces = true\nquery_timeout_s = 2\nspool_bytes_max = "64MiB"\nlog_level = "debug"'
    )
    settings = load_settings({}, environment=file_with(tmp_path, text))
    assert settings.http == Address("0.0.0.0", 80)  # noqa: S104 - nothing listens here
    assert (settings.self_traces, settings.query_timeout_s) == (True, 2.0)
    assert (settings.spool_bytes_max, settings.log_level) == (64 * MEBIBYTE, LogLevel.DEBUG)


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        ("http", "4318", "Give HOST:PORT such as 127.0.0.1:4318"),
        ("http", ":4318", "Give HOST:PORT"),
        ("http", "localhost:65536", "Give HOST:PORT"),
        ("http", "[::x]:1", "Give HOST:PORT"),
        ("http", 4318, "Give HOST:PORT"),
        ("node", "4096", "Give 0 to 4095"),
        ("node", "-1", "Give 0 to 4095"),
        ("node", "1.5", "Give a whole number"),
        ("node", True, "Give a whole number"),
        ("spool_bytes_max", "2 gigs", "Give a number of bytes such as"),
        ("spool_bytes_max", "2gi", "Give a number of bytes such as"),
        ("spool_bytes_max", "1KiB", "Give 1MiB to 1024GiB"),
        ("spool_bytes_max", True, "Give a number of bytes"),
        ("query_timeout_s", "nan", "Give a number"),
        ("query_timeout_s", "soon", "Give a number"),
        ("query_timeout_s", 10**400, "Give a number"),
        ("query_timeout_s", True, "Give a number"),
        ("self_traces", "perhaps", "Give on or off"),
        ("log_level", "loud", "Give one of debug, info, warning, error"),
        ("data", "", "Give a path"),
        ("data", "a\0b", "Give a path"),
        ("data", "~no-such-user-here/x", "Give a path"),
        ("store", "somewhere", "Give a DSN"),
    ],
)
def test_a_bad_value_names_the_setting_its_origin_and_what_to_give(name: str, value: object, hint: str) -> None:
    """Whoever reads the error knows which value, from where, and what is right."""
    with pytest.raises(SettingInvalid) as caught:
        load_settings({name: value}, environment={})
    assert caught.value.attempted == f"use the setting {name} from flag {SETTINGS_BY_NAME[name].flag}"
    assert caught.value.hint.startswith(hint)


def test_a_password_in_a_bad_dsn_is_not_repeated() -> None:
    """An error of a secret setting masks the secret."""
    with pytest.raises(SettingInvalid) as caught:
        load_settings({"state": "1postgresql://u:hunter2@db/x?password=hunter2"}, environment={})
    assert "hunter2" not in str(caught.value)


def test_a_password_is_masked_wherever_it_hides() -> None:
    """User information and parameters that name secrets are starred, the rest is kept."""
    assert mask_password("postgresql://u:p@ss/w@db:5/x?sslmode=on&password=y&z=1") == (  # pragma: allowlist secret
        "postgresql://u:***@db:5/x?sslmode=on&password=***&z=1"
    )
    assert mask_password("chdb:///data/telemetry") == "chdb:///data/telemetry"


def test_an_unknown_key_in_the_file_is_an_error_with_the_nearest_name(tmp_path: Path) -> None:
    """A typing mistake does not run with the default."""
    with pytest.raises(SettingInvalid, match="Did you mean spool_bytes_max"):
        load_settings({}, environment=file_with(tmp_path, "spool_byte_max = 1"))


def test_a_key_like_nothing_known_gets_no_wild_guess(tmp_path: Path) -> None:
    """A hint is given only where it can be one."""
    with pytest.raises(SettingInvalid, match=r"No setting has this name\.\)"):
        load_settings({}, environment=file_with(tmp_path, "zzzzqqqq = 1"))


def test_the_file_cannot_name_another_file(tmp_path: Path) -> None:
    """`config` is a flag or a variable only."""
    with pytest.raises(SettingInvalid, match="No setting has this name"):
        load_settings({}, environment=file_with(tmp_path, 'config = "x"'))


@pytest.mark.parametrize("text", ["node = ", "\udcff"])
def test_a_file_that_is_not_toml_says_where(tmp_path: Path, text: str) -> None:
    """The parser's own words are passed on, for bytes that are no text too."""
    path = tmp_path / "x.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(SettingInvalid, match="It is not TOML"):
        load_settings({"config": str(path)}, environment={})


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    """A named file has to exist."""
    with pytest.raises(SettingInvalid, match="No such file"):
        load_settings({"config": str(tmp_path / "none.toml")}, environment={})


def test_unknown_variables_are_told_with_the_nearest_name() -> None:
    """A variable that nobody reads is not silently ignored; foreign ones are not ours."""
    sentences = unknown_variables({"HOMEOSTAT_HTPP": "x", "PATH": "/bin", "HOMEOSTAT_HTTP": "a:1"})
    assert sentences == (
        "The variable HOMEOSTAT_HTPP is not a setting of the server and was ignored. Did you mean HOMEOSTAT_HTTP?",
    )


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"tls_certificate": "c.pem"}, "Set HOMEOSTAT_TLS_KEY too"),
        ({"tls_key": "k.pem"}, "Set HOMEOSTAT_TLS_CERTIFICATE too"),
        ({"tls_client_ca": "ca.pem"}, "Set HOMEOSTAT_TLS_CERTIFICATE and HOMEOSTAT_TLS_KEY too"),
        ({"ingest_body_bytes_max": "512MiB"}, "may not exceed ingest_inflight_bytes_max, which is 192MiB from default"),
        ({"spool_bytes_max": "1MiB"}, "may not exceed spool_bytes_max, which is 1MiB from flag --spool-bytes-max"),
        ({"retention_ordinary_days": "31"}, "may not exceed retention_valued_days"),
    ],
)
def test_values_that_contradict_each_other_are_refused(flags: dict[str, str], words: str) -> None:
    """Each is fine alone; together they are an error that names both."""
    with pytest.raises(SettingInvalid, match=words):
        load_settings(flags, environment={})


def test_paths_and_addresses_derived_from_settings_are_absolute() -> None:
    """Stores live under the data folder unless a DSN says otherwise."""
    settings = Settings(data=Path("/var/h"))
    assert settings.store_dsn == "chdb:///var/h/telemetry"
    assert settings.spool_folder == Path("/var/h/spool")
    assert Settings(store="clickhouse://c").store_dsn == "clickhouse://c"
    assert Settings().data_folder.is_absolute()


def test_every_row_of_the_table_is_complete() -> None:
    """Each setting has help that is a sentence, a default inside its bounds, and a variable of its own."""
    for setting in SETTINGS:
        assert setting.help.endswith("."), setting.name
        if setting.minimum is not None and setting.maximum is not None:
            assert setting.minimum <= setting.default <= setting.maximum, setting.name
        assert bool(bounds_text(setting)) is (setting.minimum is not None), setting.name
    assert len({setting.variable for setting in SETTINGS}) == len(SETTINGS)


def test_a_path_that_is_not_set_is_shown_as_nothing() -> None:
    """Nothing given and nothing shown are the same."""
    tls_key = SETTINGS_BY_NAME["tls_key"]
    assert (tls_key.show(None), tls_key.show(Path("/k.pem"))) == ("", "/k.pem")
