"""A small Maven repository for tests: poms and jars made on the spot, with checksums, on a web server of our own."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.artifacts.jars import jar_bytes

if TYPE_CHECKING:
    from tests.artifacts.web_server import WebServer


@dataclass(frozen=True, kw_only=True)
class Needs:
    """One entry of a pom's dependencies."""

    coordinate: str
    scope: str = ""
    optional: bool = False
    without: tuple[str, ...] = ()
    """exclusions, as `group:artifact`"""

    def xml(self) -> str:
        group, artifact, version = self.coordinate.split(":")
        exclusions = "".join(
            f"<exclusion><groupId>{one.split(':')[0]}</groupId><artifactId>{one.split(':')[1]}</artifactId></exclusion>"
            for one in self.without
        )
        return (
            f"<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>"
            + (f"<version>{version}</version>" if version else "")
            + (f"<scope>{self.scope}</scope>" if self.scope else "")
            + ("<optional>true</optional>" if self.optional else "")
            + (f"<exclusions>{exclusions}</exclusions>" if exclusions else "")
            + "</dependency>"
        )


@dataclass
class MavenRepository:
    """What the server serves under `/repo`."""

    server: WebServer
    checksums: tuple[str, ...] = ("sha1",)
    versions: dict[str, list[str]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"{self.server.url}/repo"

    def add(self, coordinate: str, *needs: Needs, parent: str = "", extra: str = "", classifier: str = "") -> bytes:
        """Publish a pom and a jar; return the jar's bytes."""
        group, artifact, version = coordinate.split(":")
        folder = f"/repo/{group.replace('.', '/')}/{artifact}"
        jar = jar_bytes({f"{artifact.replace('-', '')}/Made.class": coordinate.encode()})
        above = ""
        if parent:
            one, two, three = parent.split(":")
            above = f"<parent><groupId>{one}</groupId><artifactId>{two}</artifactId><version>{three}</version></parent>"
        pom = (
            '<?xml version="1.0" encoding="UTF-8"?><project xmlns="http://maven.apache.org/POM/4.0.0">'
            f"<modelVersion>4.0.0</modelVersion>{above}<groupId>{group}</groupId><artifactId>{artifact}</artifactId>"
            f"<version>{version}</version>{extra}<dependencies>{''.join(one.xml() for one in needs)}</dependencies>"
            "</project>"
        )
        self.put(f"{folder}/{version}/{artifact}-{version}.pom", pom.encode())
        self.put(f"{folder}/{version}/{artifact}-{version}{f'-{classifier}' if classifier else ''}.jar", jar)
        known = self.versions.setdefault(folder, [])
        known.append(version)
        listed = "".join(f"<version>{one}</version>" for one in known)
        self.server.files[f"{folder}/maven-metadata.xml"] = (
            f"<metadata><versioning><versions>{listed}</versions></versioning></metadata>".encode()
        )
        return jar

    def put(self, path: str, data: bytes) -> None:
        """Serve a file and its checksums."""
        self.server.files[path] = data
        for name in self.checksums:
            told = hashlib.new(name, data).hexdigest()
            self.server.files[f"{path}.{name}"] = f"{told}  {path.rpartition('/')[2]}\n".encode()
