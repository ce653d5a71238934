"""All changes of the proof, in the groups of its table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.proof.cases import OPERATOR_STATES, OPERATORS, SOURCES, STATES, WINDOWS
from tests.proof.cases_flink import BACKENDS, FLINKS
from tests.proof.cases_python import PYTHON
from tests.proof.cases_sql import SQL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.proof.cases import Case

GROUPS: Mapping[str, tuple[Case, ...]] = {
    "Operators": OPERATORS,
    "State by key": STATES,
    "Other state": OPERATOR_STATES,
    "Windows": WINDOWS,
    "Sources": SOURCES,
    "State backends": BACKENDS,
    "Flink itself": FLINKS,
    "SQL": SQL,
    "PyFlink": PYTHON,
}
