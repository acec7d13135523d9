import pytest

from tools.gates import (
    all_findings,
    check_borders,
    check_file_lengths,
    check_function_lengths,
    check_patches,
    check_sentences,
    check_sleeps,
)
from tools.sources import Source, parse


def function_of(lines: int, *, name: str = "f") -> str:
    """Return the text of a function with so many lines."""
    return f"def {name}():\n" + "    pass\n" * (lines - 1)


def module(*parts: str, path: str = "src/m.py") -> tuple[Source, ...]:
    """Return one file made of these parts."""
    return (parse(path, "\n".join(parts)),)


def test_a_function_over_the_hard_bound_fails() -> None:
    """One function of 71 lines is enough, nested in a class too."""
    nested = "class C:\n" + "".join(f"    {line}\n" for line in function_of(71).splitlines())
    findings = [*check_function_lengths(module(nested), usual=50, longest=70, share=1.0)]
    assert [finding.where for finding in findings] == ["src/m.py:2 C.f"]


def test_a_few_long_functions_are_tolerated() -> None:
    """The share decides: one in two is too many, one in forty is not."""
    few = module(function_of(51), *(function_of(2) for _ in range(39)))
    assert [*check_function_lengths(few, usual=50, longest=70, share=0.03)] == []
    many = module(function_of(51), function_of(50))
    assert len([*check_function_lengths(many, usual=50, longest=70, share=0.03)]) == 1


def test_a_long_file_is_told_and_a_very_long_one_fails() -> None:
    """Between the bounds nothing breaks."""
    sources = (*module("x = 1\n" * 401), *module("x = 1\n" * 801), *module("x = 1\n" * 400))
    assert [finding.fails for finding in check_file_lengths(sources, usual=400, longest=800)] == [False, True]


@pytest.mark.parametrize(
    "handler",
    [
        "try:\n        g()\n    except Exception:\n        pass",
        "try:\n        g()\n    except (ValueError, BaseException) as e:\n        print(e)",
        "try:\n        g()\n    except:\n        pass",
        "with contextlib.suppress(Exception):\n        g()",
    ],
)
def test_catching_everything_is_a_border_and_borders_are_listed(handler: str) -> None:
    """The same handler fails where it is not listed and passes where it is."""
    sources = module(f"class C:\n  def f(self):\n    {handler}\n")
    assert len([*check_borders(sources, borders={})]) == 1
    assert [*check_borders(sources, borders={"src/m.py:C.f": "why"})] == []


def test_a_handler_that_cleans_up_and_raises_again_is_no_border() -> None:
    """Nothing is swallowed there, nor where one error is named."""
    text = "def f():\n  try:\n    g()\n  except BaseException:\n    h()\n    raise\n"
    named = "def f():\n  try:\n    g()\n  except OSError:\n    pass\n"
    assert [*check_borders(module(text, named), borders={})] == []


def test_a_border_that_is_gone_has_to_leave_the_list() -> None:
    """The list says what is there."""
    assert [finding.where for finding in check_borders(module("x = 1"), borders={"src/m.py:f": "why"})] == [
        "src/m.py:f"
    ]


@pytest.mark.parametrize(
    "patch", ["monkeypatch.setattr(a, 'b', 1)", "mocker.patch('x')", "from unittest.mock import patch", "import mock"]
)
def test_patches_are_counted_against_tests(patch: str) -> None:
    """Two in a hundred pass, three do not."""
    tests = "\n".join(f"def test_{number}(): pass" for number in range(100))
    assert [*check_patches(module(tests, patch, patch, path="tests/t.py"), per_100_tests=2)] == []
    assert len([*check_patches(module(tests, patch, patch, patch, path="tests/t.py"), per_100_tests=2)]) == 1


def test_setting_a_variable_of_the_environment_is_no_patch() -> None:
    """Nothing of the code is replaced."""
    sources = module("def test_a(monkeypatch): monkeypatch.setenv('A', 'b')", path="tests/t.py")
    assert [*check_patches(sources, per_100_tests=0)] == []


def test_a_test_does_not_sleep() -> None:
    """Neither kind of sleep, except where it is listed; giving way to others is no sleep."""
    text = "def f():\n  time.sleep(1)\nasync def g():\n  await asyncio.sleep(0.1)\n  await asyncio.sleep(0)\n"
    assert len([*check_sleeps(module(text, path="tests/t.py"), allowed={"tests/t.py:f": "why"})]) == 1
    assert [*check_sleeps(module(text), allowed={})] == []


def test_a_test_has_a_sentence() -> None:
    """A test without one fails, a helper without one does not."""
    text = 'def test_a():\n  pass\ndef test_b():\n  """Says."""\ndef helper():\n  pass\n'
    assert [finding.where for finding in check_sentences(module(text, path="tests/t.py"))] == ["tests/t.py:1"]


def test_all_gates_run_with_the_bounds_of_the_configuration() -> None:
    """Each bound is taken from the table."""
    bounds = {
        "function_lines_usual": 50,
        "function_lines_max": 70,
        "function_share_over_usual": 0.03,
        "file_lines_usual": 400,
        "file_lines_max": 800,
        "patches_per_100_tests": 2,
        "borders": {},
        "sleeps": {},
    }
    assert all_findings(module("x = 1"), bounds=bounds) == ()
