"""The SQL planner as a jar on the class path, in place of the jar that Flink packs it in.

Flink unpacks its planner anew in each process and loads it by a class loader of its own, whose classes no archive
(`class_data.py`) can hold: that is more than half of what it takes to plan a script. The planner is the very same.

    CACHE/java-programs/flink-table-planner-<checksum>-<bytes>.jar
"""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_LOADER = "flink-table-planner-loader"
_PLANNER = "flink-table-planner.jar"
"""within the loader's jar, since Flink 1.15 (`PlannerModule.FLINK_TABLE_PLANNER_FAT_JAR`)"""


def with_planner(jars: Sequence[Path], cache: Path) -> tuple[Path, ...]:
    """Return Flink's class path with the planner unpacked; as it is, where that cannot be."""
    with suppress(OSError, zipfile.BadZipFile, KeyError):
        return tuple(_unpacked(jar, cache) if jar.name.startswith(_LOADER) else jar for jar in jars)
    return tuple(jars)


def _unpacked(loader: Path, cache: Path) -> Path:
    with zipfile.ZipFile(loader) as packed:
        entry = packed.getinfo(_PLANNER)
        folder = cache / "java-programs"
        jar = folder / f"flink-table-planner-{entry.CRC:08x}-{entry.file_size}.jar"
        if jar.exists():
            return jar
        folder.mkdir(parents=True, exist_ok=True)
        descriptor, draft = tempfile.mkstemp(prefix=".unpacking-", dir=folder)
        try:
            with packed.open(entry) as source, os.fdopen(descriptor, "wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
            # Whoever comes second keeps the first one's: an archive of classes depends on its time, too.
            with suppress(FileExistsError):
                os.link(draft, jar)
        finally:
            os.unlink(draft)
    return jar
