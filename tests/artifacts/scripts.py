"""Scripts for tests: SQL text to a `Script`, as the templates' reader would make it."""

from __future__ import annotations

from scurry.model.errors import Place
from scurry.model.script import Origin, Script
from scurry.spec.sql_statements import split_statements


def script_of(text: str, file: str = "queries.sql") -> Script:
    """A script that is a file as it is."""
    origin = Origin(offset=0, place=Place(file=file, line=1, column=1))
    return split_statements(Script(text=text, origins=(origin,)))
