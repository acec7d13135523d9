"""Write the pages that are made from tables in the code: `python -m tools.generated_docs` (`make docs`)."""

from pathlib import Path
from typing import Final

from homeostat_server.runtime.settings import SETTINGS, Setting
from homeostat_server.runtime.settings_loading import bounds_text

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
    return {ROOT / "docs" / "settings.md": settings_page()}


def main() -> None:
    """Write all generated pages."""
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
        print(f"wrote {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
