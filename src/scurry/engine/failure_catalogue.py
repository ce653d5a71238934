"""The failures that scurry knows, as data: by which words of an exception, in plain words, and what to do.

The words are those of Flink 1.18 to 2.3, its connectors and the JVM. More telling entries go first: for one exception
the first that fits is taken. docs/reference/failures.md is made from here; each entry has a test.
"""

from __future__ import annotations

from scurry.engine.failures import Trouble
from scurry.engine.failures_of_code import OF_CODE
from scurry.engine.failures_of_flink import OF_FLINK
from scurry.engine.failures_of_surroundings import OF_SURROUNDINGS

_APPLY = "When that is done, run:\n  scurry apply FILE"

_LAST = (
    Trouble(
        id="main-threw",
        title="The program failed before it described its job",
        seen=(
            r"ProgramInvocationException: The (?:main|program's entry point) \S+ \S+ \S+ \S+: (?P<text>[^\n]*)",
            r"The main method caused an error(?:: (?P<text>[^\n]*))?",
        ),
        what="The program's main failed: {text}",
        todo=f"Correct the program, or its arguments.\n{_APPLY}",
    ),
)

CATALOGUE: tuple[Trouble, ...] = (*OF_CODE, *OF_FLINK, *OF_SURROUNDINGS, *_LAST)
