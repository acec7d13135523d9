from pathlib import Path

import pytest

from tools.secret_scan import _SHAPES, _WORDS, find_secrets


def scan(folder: Path, text: str, *, detectors: tuple[str, ...] = _SHAPES) -> list[str]:
    """Return what is found in one file with this text."""
    (folder / "f.py").write_text(text)
    return [*find_secrets(["f.py"], root=folder, detectors=detectors)]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("key = '''-----BEGIN RSA PRIVATE" + " KEY-----'''", "Private Key"),
        ("url = 'postgresql://me:" + "tr0ub4dor@db/x'", "Basic Auth Credentials"),
        ("token = '" + "ghp_" + "a1B2" * 9 + "'", "GitHub Token"),
    ],
)
def test_a_secret_is_found_with_its_line(tmp_path: Path, text: str, kind: str) -> None:
    """Shapes are known wherever they stand."""
    assert scan(tmp_path, f"x = 1\n{text}\n") == [f"f.py:2 {kind}"]


def test_a_word_that_names_a_secret_is_found_in_the_product(tmp_path: Path) -> None:
    """An assignment to something called a password is looked at."""
    assert scan(tmp_path, "password = '" + "tr0ub4dor'\n", detectors=_WORDS) == ["f.py:1 Secret Keyword"]


def test_placeholders_and_marked_lines_are_no_secrets(tmp_path: Path) -> None:
    """Documentation may show the form of a DSN, and a line may say that it only looks like a secret."""
    marked = "k = '-----BEGIN RSA PRIVATE" + " KEY-----'  # pragma: allowlist secret\n"
    assert scan(tmp_path, f"url = 'postgresql://user:password@db/x'\n{marked}") == []
