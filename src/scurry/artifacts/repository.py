"""Maven repositories over HTTP: fetches files into the cache, with credentials and checksums. Resolves nothing.

CACHE/maven/org/example/lib/1.0/lib-1.0.jar      the layout of a local Maven repository
"""

from __future__ import annotations

import hashlib
import os
import re
import ssl
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from scurry.artifacts.disk import staging, sync_folder, writing
from scurry.flink.fetch import maven_central
from scurry.model.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import urllib3
    from filelock import BaseFileLock

    from scurry.artifacts.coordinate import Coordinate
    from scurry.model.ports import Secrets
    from scurry.model.reporting import Reporter
    from scurry.model.values import Text

_CHUNK = 1 << 20
_CHECKSUMS = ("sha256", "sha512", "sha1")
_METADATA_LIMIT = 1 << 22


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A Maven repository. The password may be a reference; it is resolved when it is needed."""

    name: str
    url: str
    username: Text | None = None
    password: Text | None = None


class FileNotInRepositories(Exception):
    """None of the repositories has the file. Never leaves this package."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


class Repositories:
    """Some Maven repositories, asked in order, and the cache of what came from them."""

    def __init__(
        self,
        repositories: Sequence[Repository],
        *,
        cache: Path,
        reporter: Reporter,
        secrets: Secrets | None = None,
        offline: bool = False,
    ) -> None:
        self._given = tuple(repositories)
        self.folder = cache / "maven"
        self._locks = cache / "locks"
        self._reporter = reporter
        self._secrets = secrets
        self._offline = offline
        self._pools: dict[str, urllib3.PoolManager] = {}

    @cached_property
    def all(self) -> tuple[Repository, ...]:
        """The repositories, in the order in which they are asked; without any, Maven Central."""
        return self._given or (Repository(name="Maven Central", url=maven_central()),)

    def cached(self, path: str) -> Path | None:
        """Return where a file is if it has been fetched before."""
        found = self.folder / path
        return found if found.is_file() else None

    def fetch(self, path: str) -> Path:
        """Return a file, from the cache or from the first repository that has it, checked.

        Raises `FileNotInRepositories`; `ArtifactError` when a repository cannot be asked or serves wrong bytes.
        """
        if found := self.cached(path):
            return found
        if self._offline:
            raise _offline(path)
        with self._exclusive(path):
            if found := self.cached(path):  # another process fetched it while we waited
                return found
            for repository in self.all:
                if found := self._fetch_from(repository, path):
                    return found
        raise FileNotInRepositories(path)

    def versions(self, coordinate: Coordinate) -> tuple[str, ...]:
        """Return the versions that the repositories list of an artifact, oldest first; none when they do not tell."""
        for repository in self.all:
            response = self._get(repository, f"{coordinate.project_folder}/maven-metadata.xml")
            if response is None:
                continue
            with response:
                text = response.read(_METADATA_LIMIT).decode("utf-8", "replace")
            if found := re.findall(r"<version>\s*([^<\s]+)\s*</version>", text):
                return tuple(dict.fromkeys(found))
        return ()

    def forget(self, path: str) -> None:
        """Delete a file from the cache."""
        (self.folder / path).unlink(missing_ok=True)

    def _fetch_from(self, repository: Repository, path: str) -> Path | None:
        import urllib3

        response = self._get(repository, path)
        if response is None:
            return None
        final = self.folder / path
        with writing(final):
            final.parent.mkdir(parents=True, exist_ok=True)
        with writing(final), staging(final.parent) as area:
            file = area / final.name
            try:
                digests = self._receive(response, file)
            except urllib3.exceptions.HTTPError as error:
                raise _unreachable(repository, path, error) from error
            self._verify(repository, path, digests)
            file.replace(final)
            sync_folder(final.parent)
        return final

    def _receive(self, response: urllib3.BaseHTTPResponse, file: Path) -> Mapping[str, str]:
        size = int(response.headers.get("Content-Length") or 0)
        digests = {name: hashlib.new(name) for name in _CHECKSUMS}
        received = 0
        with (
            response,
            file.open("wb") as out,
            self._reporter.activity(f"Downloading {file.name}", total=size or None) as activity,
        ):
            for chunk in response.stream(_CHUNK, decode_content=False):
                out.write(chunk)
                received += len(chunk)
                activity.advance(len(chunk))
                for digest in digests.values():
                    digest.update(chunk)
            out.flush()
            os.fsync(out.fileno())
        return {name: digest.hexdigest() for name, digest in digests.items()}

    def _verify(self, repository: Repository, path: str, digests: Mapping[str, str]) -> None:
        # A pom is read for what it says; what runs is in the jars, which get the strongest checksum there is.
        for name in ("sha1",) if path.endswith(".pom") else _CHECKSUMS:
            response = self._get(repository, f"{path}.{name}")
            if response is None:
                continue
            with response:
                told = response.read(1024).decode("ascii", "replace").strip().split()
            expected = told[0].lower() if told else ""
            if re.fullmatch(r"[0-9a-f]+", expected) is None:
                continue  # a page that says something else, with status 200
            if expected != digests[name]:
                raise ArtifactError(
                    f"{path.rpartition('/')[2]!r} of the repository {repository.name!r} is not what the repository "
                    f"says it is: its {name} is {digests[name]}, its checksum file says {expected}",
                    hint="Try again; if it stays so, the repository or a proxy on the way is broken",
                )
            return

    def _get(self, repository: Repository, path: str) -> urllib3.BaseHTTPResponse | None:
        """Ask for a file; None when the repository does not have it."""
        import urllib3

        url = f"{repository.url.rstrip('/')}/{path}"
        try:
            response = self._pool(url).request(
                "GET", url, headers=self._authorization(repository), preload_content=False
            )
        except urllib3.exceptions.HTTPError as error:
            raise _unreachable(repository, path, error) from error
        if response.status == 200:
            return response
        response.drain_conn()
        response.release_conn()
        if response.status in (404, 410):
            return None
        raise _refused(repository, path, response)

    def _authorization(self, repository: Repository) -> Mapping[str, str]:
        from urllib3.util import make_headers

        if repository.username is None and repository.password is None:
            return {}
        pair = f"{self._plain(repository.username)}:{self._plain(repository.password)}"
        return dict(make_headers(basic_auth=pair))

    def _plain(self, text: Text | None) -> str:
        if text is None or isinstance(text, str):
            return text or ""
        if self._secrets is None:
            raise ArtifactError(f"the secret {text.name!r} of a Maven repository cannot be resolved here")
        return self._secrets.resolve(text)

    def _pool(self, url: str) -> urllib3.PoolManager:
        parts = urlsplit(url)
        key = f"{parts.scheme}://{parts.netloc}"
        if key not in self._pools:
            self._pools[key] = open_pool(url)
        return self._pools[key]

    def _exclusive(self, path: str) -> BaseFileLock:
        from filelock import FileLock

        with writing(self._locks):
            self._locks.mkdir(parents=True, exist_ok=True)
        return FileLock(self._locks / f"maven-{hashlib.sha256(path.encode()).hexdigest()[:16]}.lock")


def open_pool(url: str) -> urllib3.PoolManager:
    """Open connections as the environment says: certificates by REQUESTS_CA_BUNDLE or SSL_CERT_FILE, proxies."""
    from urllib.request import getproxies, proxy_bypass

    import urllib3

    parts = urlsplit(url)
    timeout = urllib3.Timeout(connect=15, read=60)
    retries = urllib3.Retry(total=3, backoff_factor=0.3, status_forcelist=(429, 502, 503, 504), raise_on_status=False)
    proxy = None if proxy_bypass(parts.hostname or "") else getproxies().get(parts.scheme)
    if parts.scheme == "http" and not proxy:
        return urllib3.PoolManager(timeout=timeout, retries=retries)
    context = ssl.create_default_context(cafile=os.environ.get("REQUESTS_CA_BUNDLE") or None)
    if proxy:
        return urllib3.ProxyManager(proxy, ssl_context=context, timeout=timeout, retries=retries)
    return urllib3.PoolManager(ssl_context=context, timeout=timeout, retries=retries)


def because(error: Exception) -> str:
    """What urllib3 could not do, without the address, which may hold a secret."""
    reason = getattr(error, "reason", None)
    return str(reason if isinstance(reason, Exception) else error)


def _unreachable(repository: Repository, path: str, error: Exception) -> ArtifactError:
    return ArtifactError(
        f"{path.rpartition('/')[2]!r} is not in the cache, and the repository {repository.name!r} ({repository.url}) "
        f"cannot be reached: {because(error)}",
        hint="Check the network, and `repositories` in scurry.yaml",
    )


def _refused(repository: Repository, path: str, response: urllib3.BaseHTTPResponse) -> ArtifactError:
    answer = f"{response.status} {response.reason or ''}".rstrip()
    if response.status in (401, 403):
        known = "does not accept the credentials" if repository.username is not None else "wants credentials"
        return ArtifactError(
            f"the repository {repository.name!r} ({repository.url}) {known} for {path.rpartition('/')[2]!r}: {answer}",
            hint="Give it in scurry.yaml:\n  repositories: [{url: ADDRESS, username: NAME, password: {env: VARIABLE}}]",
        )
    return ArtifactError(
        f"the repository {repository.name!r} ({repository.url}) answers {answer} for {path.rpartition('/')[2]!r}",
        hint="Try again later, or check `repositories` in scurry.yaml",
    )


def _offline(path: str) -> ArtifactError:
    return ArtifactError(
        f"{path.rpartition('/')[2]!r} is not in the cache, and the network is not to be used",
        hint="Run it once with the network",
    )
