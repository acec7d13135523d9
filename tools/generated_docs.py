"""Write the pages that are made from tables in the code: `python -m tools.generated_docs` (`make docs`)."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from homeostat.settings.opentelemetry import VARIABLES
from homeostat.settings.rows import Setting, bounds_text
from homeostat.settings.table import SETTINGS as SERVICE_SETTINGS
from homeostat.tracing.attributes import EVERYWHERE, Declared, Family
from homeostat.tracing.families import FAMILIES
from homeostat_server.runtime.settings import SETTINGS

ROOT: Final = Path(__file__).resolve().parent.parent

_SETTINGS_HEAD: Final = """\
# Settings

This page is made from the table in `src/homeostat_server/runtime/settings.py` by `make docs`; do not edit it.

Each setting is a flag of `homeostat up`, an environment variable and a key of the TOML file that `--config` or
`HOMEOSTAT_CONFIG` names. A flag wins over a variable, a variable over the file, the file over the default.
`homeostat doctor` prints every value and where it comes from. Sizes are written as bytes or with a unit: `33554432`,
`32MiB`, `2GiB`. A variable of this prefix that is no setting is told at the start; a key of the file that is none
stops it. A file may look like this:

```toml
data = "/var/lib/homeostat"
http = "0.0.0.0:4318"
grpc = "0.0.0.0:4317"
tls_certificate = "/etc/homeostat/cert.pem"
tls_key = "/etc/homeostat/key.pem"
spool_bytes_max = "8GiB"
retention_ordinary_days = 7
```

| Key | Variable | Flag | Kind | Default | Bounds | What it is |
|---|---|---|---|---|---|---|
"""


_SERVICE_SETTINGS_HEAD: Final = """\
# Settings of a service

This page is made from the table in `src/homeostat/settings/table.py` by `make docs`; do not edit it.

Each setting is an argument of `homeostat.configure()`, an environment variable, and a key of `[tool.homeostat]` in
`pyproject.toml`; many have a variable of OpenTelemetry, too. From the lowest origin to the highest:

1. the default;
2. `[tool.homeostat]` in the nearest `pyproject.toml`, from the working folder upwards;
3. the declarative file that `OTEL_CONFIG_FILE` names (YAML, which needs PyYAML, or JSON);
4. `OTEL_*` variables;
5. `HOMEOSTAT_*` variables;
6. arguments of `configure()`.

A value that cannot be read is told and passed over: a service starts whatever its settings are. Of pairs (headers,
resource attributes) those of all origins are joined. `homeostat doctor` prints every value and where it comes from, and
names what has no effect.

```toml
[tool.homeostat]
service = "orders-api"
sampling_rules = ["GET /health=0", "/checkout/*=1"]
redaction_names = ["iban"]
```

| Setting | Variables | Kind | Default | Bounds | What it is |
|---|---|---|---|---|---|
"""

_SERVICE_SETTINGS_FOOT: Final = """
`OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` set the rows about who the service is, `OTEL_TRACES_SAMPLER` with
`OTEL_TRACES_SAMPLER_ARG` sets `sampling_ratio` (a parent's decision is always followed), and
`OTEL_EXPORTER_OTLP_INSECURE` decides about TLS where an address has no scheme. Time-outs of exporters are in seconds,
as OpenTelemetry's Python SDK reads them. Limits of spans (`OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT` and its like) are read by
OpenTelemetry itself.

Of the declarative file these parts are read: `disabled`; `resource.attributes` and `attributes_list`; of
`tracer_provider` the first processor with its batch bounds and its exporter `otlp_http` or `otlp_grpc`, and `sampler`
(`always_on`, `always_off`, `trace_id_ratio_based`, `parent_based`). Everything else in it is named as having no effect.
"""


def service_settings_page() -> str:
    """Return the text of `docs/sdk/settings.md`."""
    rows = "".join(f"{_service_row(setting)}\n" for setting in SERVICE_SETTINGS)
    return f"{_SERVICE_SETTINGS_HEAD}{rows}{_SERVICE_SETTINGS_FOOT}"


def _service_row(setting: Setting) -> str:
    default = setting.show(setting.default)
    variables = [setting.variable, *(variable.name for variable in VARIABLES if variable.setting == setting.name)]
    cells = (
        f"`{setting.name}`",
        ", ".join(f"`{name}`" for name in variables),
        setting.kind.name.replace("|", "\\|"),
        f"`{default}`" if default else "none",
        bounds_text(setting) or "none",
        setting.help,
    )
    return f"| {' | '.join(cells)} |"


_FAMILIES_HEAD: Final = """\
# Span families

This page is made from the families in `src/homeostat/tracing/families` by `make docs`; do not edit it.

Each family declares what its spans may say. A name that it does not declare is dropped, counted, and logged once. Who
defines a name is said beside it: OpenTelemetry's conventions, stable or in development, or Homeostat where they have
none. Helpers are in [pattern 7 of the tracing guide](tracing.md#7-standard-spans).

## Every family

{everywhere}"""

_ATTRIBUTES_HEAD: Final = "| Attribute | Value | Meaning | Defined by |\n|---|---|---|---|\n"


def span_families_page() -> str:
    """Return the text of `docs/sdk/span_families.md`."""
    return _FAMILIES_HEAD.format(everywhere=_attribute_rows(EVERYWHERE)) + "".join(map(_family_part, FAMILIES))


def _family_part(family: Family) -> str:
    return f"\n## {family.name}\n\n{family.purpose} Named by {family.naming}.\n\n{_attribute_rows(family.own)}"


def _attribute_rows(attributes: Iterable[Declared]) -> str:
    rows = (f"| `{one.name}` | {one.shape} | {one.meaning} | {one.source} |\n" for one in attributes)
    return _ATTRIBUTES_HEAD + "".join(rows)


def settings_page() -> str:
    """Return the text of `docs/settings.md`."""
    return _SETTINGS_HEAD + "".join(f"{_row(setting)}\n" for setting in SETTINGS)


def _row(setting: Setting) -> str:
    default = setting.show(setting.default)
    cells = (
        f"`{setting.name}`",
        f"`{setting.variable}`",
        f"`{setting.flag}`",
        setting.kind.name.replace("|", "\\|"),
        f"`{default}`" if default else "none",
        bounds_text(setting) or "none",
        setting.help,
    )
    return f"| {' | '.join(cells)} |"


def pages() -> dict[Path, str]:
    """Return the text of each generated page by its path."""
    return {
        ROOT / "docs" / "settings.md": settings_page(),
        ROOT / "docs" / "sdk" / "settings.md": service_settings_page(),
        ROOT / "docs" / "sdk" / "span_families.md": span_families_page(),
    }


def main() -> None:
    """Write all generated pages."""
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
        print(f"wrote {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
