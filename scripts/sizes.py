"""Checks what no linter does: sizes, module docstrings, and the names that say nothing.

A function has at most 60 lines, a file at most 500, a module's docstring 1 to 10 (indented pictures in it not counted).
Prints what breaks a limit, and the 90th percentile of the functions' lengths. Exits with 1 when something does.
"""

from __future__ import annotations

import ast
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("src", "tests", "scripts", "examples", "benchmarks")
FUNCTION_LINES = 60
FILE_LINES = 500
DOCSTRING_LINES = 10
FORBIDDEN = frozenset(
    {"utils", "util", "helpers", "helper", "common", "misc", "manager", "handler", "base", "core", "impl"}
)
"""of design, section 4, with their singulars"""
FLINK_WORDS = ("TaskManager", "JobManager", "task_manager", "job_manager")
"""Flink's own names for its processes"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What was found in one file."""

    problems: tuple[str, ...]
    function_lengths: tuple[int, ...]


def measure(path: Path, source: str) -> Measured:
    """Return the problems of a file, each with its place, and how long its functions are."""
    tree = ast.parse(source)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return Measured(
        problems=(*_file_problems(path, source, tree), *_name_problems(path, tree), *_long(path, functions)),
        function_lengths=tuple(map(_lines, functions)),
    )


def _file_problems(path: Path, source: str, tree: ast.Module) -> Iterator[str]:
    lines = len(source.splitlines())
    if lines > FILE_LINES:
        yield f"{path}: {lines} lines; {FILE_LINES} are the most"
    if not source.strip():
        return
    docstring = ast.get_docstring(tree)
    if not docstring:
        yield f"{path}: has no docstring that says what it is"
    elif (prose := len([line for line in docstring.splitlines() if not line.startswith("    ")])) > DOCSTRING_LINES:
        yield f"{path}: its docstring has {prose} lines; {DOCSTRING_LINES} are the most"


def _name_problems(path: Path, tree: ast.Module) -> Iterator[str]:
    for word in (*path.parent.parts, path.stem):
        if found := _forbidden(word):
            yield f"{path}: {found!r} is a name that says nothing"
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and (found := _forbidden(node.name)):
            yield f"{path}:{node.lineno}: {found!r} in class {node.name} is a name that says nothing"


def _forbidden(name: str) -> str | None:
    for word in FLINK_WORDS:
        name = name.replace(word, "")
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)
    return next((word for word in words if word.lower() in FORBIDDEN), None)


def _long(path: Path, functions: list[ast.FunctionDef | ast.AsyncFunctionDef]) -> Iterator[str]:
    for function in functions:
        if _lines(function) > FUNCTION_LINES:
            place = f"{path}:{function.lineno}"
            yield f"{place}: {function.name} has {_lines(function)} lines; {FUNCTION_LINES} are the most"


def _lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def percentile(numbers: list[int], share: float) -> int:
    """Return the number that this share of all is not above."""
    ordered = sorted(numbers)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0


def main(root: Path = ROOT) -> int:
    """Measure all files; return 1 if any breaks a limit."""
    files = [path for folder in FOLDERS for path in sorted((root / folder).rglob("*.py"))]
    measured = [measure(path.relative_to(root), path.read_text("utf-8")) for path in files]
    problems = [problem for found in measured for problem in found.problems]
    lengths = [length for found in measured for length in found.function_lengths]
    print("\n".join(problems), end="\n" if problems else "")
    print(f"{len(files)} files, {len(lengths)} functions, 90 % of them with at most {percentile(lengths, 0.9)} lines")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
