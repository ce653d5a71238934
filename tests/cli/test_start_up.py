"""Commands that people type many times a day load little. Judged by what is imported, not by a clock."""

from __future__ import annotations

import subprocess
import sys

import pytest

from scurry import __version__
from scurry.cli.main import main
from tests.cli.desk import Desk

HEAVY = ("rich", "jinja2", "jgo", "boto3", "requests", "pip", "filelock", "asyncio", "pygments")


def _imported(desk: Desk, *arguments: str) -> set[str]:
    """Return the modules that a command has imported when it is done; progress believes that there is a terminal."""
    program = (
        "import sys; sys.stderr.isatty = lambda: True; from scurry.cli.main import main; code = main(sys.argv[1:]); "
        "print('\\0' + ' '.join(sys.modules)); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=desk.folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return set(done.stdout.partition("\0")[2].split())


def _packages(modules: set[str]) -> set[str]:
    return {module.partition(".")[0] for module in modules}


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_version_loads_next_to_nothing(desk: Desk, option: str) -> None:
    modules = _imported(desk, option)
    assert {name for name in modules if name.startswith("scurry")} == {
        "scurry",
        "scurry.cli",
        "scurry.cli.main",
        "scurry.cli.exit_codes",
    }
    assert not _packages(modules) & {*HEAVY, "typer", "click", "pydantic", "msgspec", "argparse", "inspect"}


def test_version_is_told_among_other_options_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert main(["--version", "status"]) == 0
    assert capsys.readouterr().out == f"scurry {__version__}\n" * 2


@pytest.mark.parametrize("arguments", [("status",), ("status", "--json"), ("history", "shop"), ("diagnose", "shop")])
def test_looking_loads_neither_what_draws_nor_what_builds_nor_what_installs(
    running: Desk, arguments: tuple[str, ...]
) -> None:
    modules = _imported(running, *arguments)
    assert not _packages(modules) & set(HEAVY)
    built = ("scurry.artifacts.build", "scurry.artifacts.maven", "scurry.engine.executor", "scurry.spec.templates")
    others = ("scurry.cli.apply", "scurry.cli.lifecycle", "scurry.targets.rest", "scurry.model.application")
    assert not modules & {*built, *others}


def test_status_of_a_memory_target_opens_no_network(running: Desk) -> None:
    assert not _packages(_imported(running, "status")) & {"urllib3", "http", "ssl", "psutil"}


def test_help_of_all_commands_loads_no_adapter(desk: Desk) -> None:
    modules = _imported(desk, "status", "--help")
    assert not _packages(modules) & {*HEAVY, "msgspec", "sqlite3"}
