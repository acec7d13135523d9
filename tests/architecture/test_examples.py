import ast
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest
import yaml

from homeostat.cli import main
from homeostat.settings.table import SETTINGS_BY_NAME as SERVICE_SETTINGS_BY_NAME
from homeostat_server.runtime.settings import SETTINGS_BY_NAME
from tools.documents import CodeBlock, code_blocks, documents, shell_commands
from tools.sources import ROOT

BLOCKS = [block for document in documents() for block in code_blocks(document)]
SEARCH_PATH = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
BUILTINS = {"cd", "export", "source", "."}
MAKE_TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
ELSEWHERE = {"docker", "curl", "openssl", "opentelemetry-instrument", "opentelemetry-bootstrap"}
"""Programs that a reader has or is told to get; they need not be on the machine that runs the tests."""


def blocks(*languages: str) -> list[object]:
    """Return the examples in these languages, each with where it stands."""
    return [pytest.param(block, id=block.where) for block in BLOCKS if block.language in languages]


def check_command(words: list[str]) -> None:
    """Fail when the command of an example does not exist as it is written."""
    program, *arguments = words
    assert program in BUILTINS | ELSEWHERE or shutil.which(program, path=SEARCH_PATH), f"there is no command {program}"
    if program == "make":
        assert {word for word in arguments if "=" not in word} <= MAKE_TARGETS
    if program == "homeostat":
        check_homeostat(arguments)


def check_homeostat(arguments: list[str]) -> None:
    """Fail when the sub-command or one of its flags is not there."""
    command: click.Command = main
    context = click.Context(main)
    while isinstance(command, click.Group) and arguments and not arguments[0].startswith("-"):
        name, *arguments = arguments
        found = command.get_command(context, name)
        assert found is not None, f"homeostat has no command {name}"
        command = found
    flags = {flag for parameter in command.get_params(context) for flag in parameter.opts}
    assert {word for word in arguments if word.startswith("--")} <= flags


def test_every_example_says_its_language() -> None:
    """An example without a language is not checked, so there is none; `text` is for what is no code."""
    assert [block.where for block in BLOCKS if not block.language] == []


@pytest.mark.parametrize("block", blocks("bash"))
def test_a_shell_example_can_be_typed(block: CodeBlock) -> None:
    """Its syntax is right, and its commands, targets and flags exist."""
    subprocess.run(["/bin/bash", "-n"], input=block.text, text=True, check=True)
    for words in shell_commands(block):
        check_command(words)


@pytest.mark.parametrize("block", blocks("python"))
def test_a_python_example_can_be_imported(block: CodeBlock) -> None:
    """It parses, and what it imports is there."""
    for node in ast.walk(ast.parse(block.text)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert [name for name in names if importlib.util.find_spec(name) is None] == []


@pytest.mark.parametrize("block", blocks("toml"))
def test_a_settings_example_names_settings(block: CodeBlock) -> None:
    """A TOML example is a settings file of the platform, or the table of a service in pyproject.toml."""
    found = tomllib.loads(block.text)
    if "tool" in found:
        assert set(found["tool"]["homeostat"]) <= set(SERVICE_SETTINGS_BY_NAME)
    else:
        assert set(found) <= set(SETTINGS_BY_NAME)


@pytest.mark.parametrize("block", blocks("json"))
def test_a_json_example_is_json(block: CodeBlock) -> None:
    """It can be pasted."""
    json.loads(block.text)


@pytest.mark.parametrize("block", blocks("yaml"))
def test_a_yaml_example_is_yaml(block: CodeBlock) -> None:
    """It can be pasted into a file."""
    assert isinstance(yaml.safe_load(block.text), dict)
