"""What is installed on this machine: a Flink and a Java, as the other modules of this package see them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class FlinkRuntime:
    """A Flink distribution on this machine."""

    version: str
    """exact: `2.3.0`"""
    home: Path
    """the folder that holds `lib/`, `opt/` and `plugins/`; `bin/` and `conf/` may be missing (PyPI's 1.x have none)"""
    source: str
    """`pypi`, `archive` or `FLINK_HOME`"""


@dataclass(frozen=True, slots=True, kw_only=True)
class JavaRuntime:
    """A Java runtime on this machine."""

    home: Path
    major: int
    source: str
    """`JAVA_HOME`, `PATH`, `system` or `pypi`"""

    @property
    def executable(self) -> Path:
        """The `java` command."""
        return self.home / "bin" / "java"
