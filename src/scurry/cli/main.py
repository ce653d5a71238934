"""The entry point: answers `--version` at once, runs everything else, and is the one place where errors end.

Nothing is imported here that `--version` does not need.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from scurry.cli.exit_codes import DONE, ERROR, INTERRUPTED, USAGE

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given in (["--version"], ["-V"]):
        from scurry import __version__

        print(f"scurry {__version__}")
        return DONE
    try:
        return _run(given)
    except BrokenPipeError:
        return _quiet()


def _run(arguments: list[str]) -> int:
    from scurry.cli import failure
    from scurry.cli.app import run
    from scurry.model.errors import ScurryError

    as_json = "--json" in arguments
    try:
        code = run(arguments)
        sys.stdout.flush()
    except ScurryError as error:
        failure.show(error, as_json=as_json, verbose="--verbose" in arguments)
        return ERROR
    except failure.Usage as error:
        failure.show_usage(error, as_json=as_json)
        return USAGE
    except failure.HelpWanted as wanted:
        print(wanted)
        return USAGE
    except failure.Interrupted as interrupted:
        failure.show_interrupted(interrupted)
        return INTERRUPTED
    except BrokenPipeError:
        raise
    except Exception as error:
        if os.environ.get("SCURRY_TRACEBACK"):
            raise
        failure.show_bug(error, as_json=as_json)
        return ERROR
    return code


def _quiet() -> int:
    """Whoever read our output has gone (`scurry history x | head`); nothing more is to be said, not at exit either."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, sys.stdout.fileno())
    return ERROR


if __name__ == "__main__":
    sys.exit(main())
