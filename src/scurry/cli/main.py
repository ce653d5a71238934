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
    _open_standard_streams()
    if given in (["--version"], ["-V"]):
        from scurry import __version__

        print(f"scurry {__version__}")
        return DONE
    try:
        return _run(given)
    except BrokenPipeError:
        return _quiet()
    except KeyboardInterrupt:  # before a command began, or a second time while one was ending
        return INTERRUPTED


def _open_standard_streams() -> None:
    """Give what was closed (`scurry … <&-`) a place to go; else the next file that is opened would be in its place."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8"))


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
        failure.show_interrupted(interrupted, as_json=as_json)
        return INTERRUPTED
    except BrokenPipeError:
        raise
    except Exception as error:
        if os.environ.get("SCURRY_TRACEBACK"):
            raise
        failure.show_unforeseen(error, as_json=as_json)
        return ERROR
    return code


def _quiet() -> int:
    """Whoever read our output has gone (`scurry history x | head`); nothing more is to be said, not at exit either."""
    from scurry.cli.output import silence

    silence(sys.stdout)
    return ERROR


if __name__ == "__main__":
    sys.exit(main())
