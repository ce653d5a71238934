"""Which entries of several jars make up one jar: what is merged, what is dropped, what wins. Writes nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Sequence

_SIGNATURE = re.compile(r"META-INF/(?:SIG-[^/]*|[^/]+\.(?:SF|RSA|DSA|EC))", re.IGNORECASE)
_DROPPED = re.compile(r"META-INF/(?:MANIFEST\.MF|INDEX\.LIST)|(?:.*/)?module-info\.class")
_SERVICES = re.compile(r"META-INF/services/[^/]+")
# Typesafe configuration and Spring read all of the files of these names that are on the class path.
_APPENDED = re.compile(r"reference\.conf|META-INF/spring\.(?:handlers|schemas|tooling|factories)")
_LICENCE = re.compile(
    r"(?:META-INF/)?(?:LICEN[CS]E|NOTICE|DEPENDENCIES|COPYING|COPYRIGHT|ABOUT|about)(?:[._-][^/]*)?", re.IGNORECASE
)
_VERSIONED = re.compile(r"META-INF/versions/\d+/.+")
_MULTI_RELEASE = re.compile(rb"^Multi-Release:\s*true\s*$", re.MULTILINE | re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One jar that goes in. The earlier ones win."""

    name: str
    """the file's name, for people and for where its licences go"""
    archive: zipfile.ZipFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """The content of the merged jar."""

    copied: dict[str, tuple[Source, zipfile.ZipInfo]] = field(default_factory=dict)
    written: dict[str, bytes] = field(default_factory=dict)
    conflicts: dict[str, tuple[str, str]] = field(default_factory=dict)
    """class → the jar it is taken from, and one that has another class of that name"""
    is_multi_release: bool


def merge(sources: Sequence[Source]) -> Merged:
    """Choose the entries. Raises what `zipfile` raises for a damaged jar."""
    releases = {source.name: _is_multi_release(source.archive) for source in sources}
    merged = Merged(is_multi_release=any(releases.values()))
    for source in sources:
        for entry in source.archive.infolist():
            name = entry.filename
            if _SIGNATURE.fullmatch(name) or _DROPPED.fullmatch(name):
                continue
            if _VERSIONED.fullmatch(name) and not releases[source.name]:
                continue
            if _SERVICES.fullmatch(name) or _APPENDED.fullmatch(name):
                _append(merged, name, source.archive.read(entry))
                continue
            if _LICENCE.fullmatch(name):
                name = f"META-INF/licenses/{source.name.removesuffix('.jar')}/{name.rpartition('/')[2]}"
            _take(merged, name, source, entry)
    return merged


def _take(merged: Merged, name: str, source: Source, entry: zipfile.ZipInfo) -> None:
    before, known = merged.copied.setdefault(name, (source, entry))
    differs = (known.CRC, known.file_size) != (entry.CRC, entry.file_size)
    if differs and name.endswith(".class"):
        merged.conflicts.setdefault(name, (before.name, source.name))


def _append(merged: Merged, name: str, data: bytes) -> None:
    """Join the lines, each once where the file is a list of providers."""
    text = data.decode("utf-8", "replace").replace("\r\n", "\n")
    before = merged.written.get(name, b"").decode()
    if not _SERVICES.fullmatch(name):
        merged.written[name] = f"{before}{text.rstrip()}\n".encode()
        return
    providers = (line.partition("#")[0].strip() for line in f"{before}\n{text}".split("\n"))
    merged.written[name] = "".join(f"{provider}\n" for provider in dict.fromkeys(providers) if provider).encode()


def _is_multi_release(archive: zipfile.ZipFile) -> bool:
    try:
        return bool(_MULTI_RELEASE.search(archive.read("META-INF/MANIFEST.MF").replace(b"\r\n", b"\n")))
    except KeyError:
        return False
