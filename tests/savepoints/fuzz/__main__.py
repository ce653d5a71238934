"""Fuzzes the reading of snapshots with atheris: `python -m tests.savepoints.fuzz SECONDS [CORPUS]`.

What takes new paths goes to the corpus, of which the small ones are kept in `inputs`; what is not the typed error, or
too slow, is left as `crash-…` or `timeout-…` in the current folder. Needs `pip install atheris`, which no test does.
"""

from __future__ import annotations

import sys
import tempfile
from importlib import import_module
from pathlib import Path


def main(arguments: list[str]) -> None:
    atheris = import_module("atheris")
    with atheris.instrument_imports(include=["scurry.savepoints"]):
        target = import_module("tests.savepoints.fuzz.target")
        inputs = import_module("tests.savepoints.fuzz.corpus")
    limit = int(arguments[0]) if arguments else 60
    corpus = Path(arguments[1] if len(arguments) > 1 else tempfile.mkdtemp(prefix="corpus-"))
    print("what is found goes to", corpus)
    for name, seed in inputs.inputs().items():
        (corpus / name).write_bytes(seed)
    options = [f"-max_total_time={limit}", "-max_len=20000", "-timeout=10", "-rss_limit_mb=1024"]
    atheris.Setup([sys.argv[0], *options, str(corpus)], target.one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
