"""Jars for tests, as other tools write them."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def jar_bytes(entries: Mapping[str, bytes], manifest: str | None = "Manifest-Version: 1.0\r\n\r\n") -> bytes:
    """A jar with these entries, deflated, with times and folders as other tools have them."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as jar:
        if manifest is not None:
            jar.writestr("META-INF/MANIFEST.MF", manifest)
        for name, data in entries.items():
            jar.writestr(zipfile.ZipInfo(name, (2024, 5, 6, 7, 8, 10)), data, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def write_jar(path: Path, entries: Mapping[str, bytes], manifest: str | None = "Manifest-Version: 1.0\r\n\r\n") -> Path:
    """Write such a jar to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(jar_bytes(entries, manifest))
    return path
