"""The sizes and names that `scripts/sizes.py` watches, and that it does watch them."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def sizes() -> ModuleType:
    spec = importlib.util.spec_from_file_location("sizes", ROOT / "scripts" / "sizes.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["sizes"] = module
    spec.loader.exec_module(module)
    return module


def test_no_file_breaks_the_limits(sizes: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    code = sizes.main()
    assert code == 0, capsys.readouterr().out


@pytest.mark.parametrize(
    ("path", "source", "expected"),
    [
        ("a.py", '"""Doc."""\ndef f():\n' + "    x = 1\n" * 60, "f has 61 lines"),
        ("a.py", '"""Doc."""\nclass C:\n    async def g(self):\n' + "        x = 1\n" * 60, "g has 61 lines"),
        ("a.py", '"""Doc."""\n' + "x = 1\n" * 500, "501 lines"),
        ("a.py", "x = 1\n", "no docstring"),
        ("a.py", '"""' + "Line.\n" * 11 + '"""\n', "its docstring has 11 lines"),
        ("helpers.py", '"""Doc."""\n', "'helpers'"),
        ("text_utils.py", '"""Doc."""\n', "'utils'"),
        ("common/a.py", '"""Doc."""\n', "'common'"),
        ("a.py", '"""Doc."""\nclass JobHandler: ...\n', "'Handler'"),
        ("a.py", '"""Doc."""\nclass _TargetBase: ...\n', "'Base'"),
        ("a.py", '"""Doc."""\nclass HTTPManager: ...\n', "'Manager'"),
    ],
)
def test_what_breaks_a_limit_is_told(sizes: ModuleType, path: str, source: str, expected: str) -> None:
    (problem,) = sizes.measure(Path(path), source).problems
    assert expected in problem


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("a.py", '"""Doc."""\ndef f():\n' + "    x = 1\n" * 59),
        ("__init__.py", ""),
        ("a.py", '"""' + "Line.\n" * 5 + "\n" + "    a picture\n" * 30 + '"""\n'),
        ("task_manager.py", '"""Doc."""\nclass TaskManager: ...\nclass Basement: ...\n'),
    ],
)
def test_what_keeps_the_limits_is_not_told(sizes: ModuleType, path: str, source: str) -> None:
    assert sizes.measure(Path(path), source).problems == ()


def test_the_ninetieth_percentile_is_the_number_that_nine_of_ten_are_not_above(sizes: ModuleType) -> None:
    assert sizes.percentile([], 0.9) == 0
    assert sizes.percentile([7], 0.9) == 7
    assert sizes.percentile(list(range(1, 101)), 0.9) == 91
