"""Run the Python examples of a page as the one program that they are, and compare what they print with what it shows.

Started as `python -m tests.programs` in a process of its own: examples start SDKs, loops and threads. It reads a JSON
list of `[where, text, shown]` from standard input; `shown` is null where the page shows no output.
"""

import ast
import asyncio
import contextlib
import io
import json
import linecache
import sys
from collections.abc import Coroutine
from typing import Any


def run(examples: list[tuple[str, str, str | None]]) -> None:
    """Run examples one after the other in one namespace and one loop; stop at the first that is wrong."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    with asyncio.Runner() as runner:
        for where, text, shown in examples:
            said = io.StringIO()
            with contextlib.redirect_stdout(said):
                _run_one(where, text, namespace, runner)
            if shown is not None and said.getvalue().strip() != shown.strip():
                sys.exit(f"{where} prints\n{said.getvalue()}\nand the page shows\n{shown}")


def _run_one(where: str, text: str, namespace: dict[str, Any], runner: asyncio.Runner) -> None:
    # Tracebacks, and decorators that read their function's source, find the lines of the page.
    linecache.cache[where] = (len(text), None, text.splitlines(keepends=True), where)
    code = compile(text, where, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    result = eval(code, namespace)  # noqa: S307 - the examples of our own pages; exec would not give the coroutine
    if isinstance(result, Coroutine):
        runner.run(result)


if __name__ == "__main__":
    run([tuple(example) for example in json.load(sys.stdin)])
