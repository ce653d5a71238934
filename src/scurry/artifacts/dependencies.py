"""Where jgo works: the dependencies of a Maven coordinate, by the poms that our repositories serve."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jgo.maven import Dependency, MavenContext, ProfileConstraints, PythonResolver

from scurry.artifacts.coordinate import Coordinate
from scurry.artifacts.repository import FileNotInRepositories
from scurry.model.errors import ArtifactError, ScurryError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from scurry.artifacts.repository import Repositories

_AT_RUN_TIME = ("compile", "runtime", None)

# Profiles in poms ask for the machine. Fixed, so that the lock file is the same wherever it is made; and it is the
# cluster's machine that counts, not the one that deploys.
_MACHINE = ProfileConstraints(jdk="17", os_name="Linux", os_family="unix", os_arch="amd64")


def dependencies_of(
    coordinate: Coordinate, repositories: Repositories, *, leave_out: Iterable[tuple[str, str]]
) -> tuple[Coordinate, ...]:
    """Return what an artifact needs at run time: Maven's nearest-wins, without test, provided and optional.

    `leave_out` are groups and artifacts that are skipped with all that only they need. Raises `ArtifactError`.
    """
    resolver = _Resolver(repositories)
    context = MavenContext(resolver=resolver, repo_cache=repositories.folder, local_repos=[], remote_repos={})
    artifact = context.project(coordinate.group, coordinate.artifact).at_version(coordinate.version)
    root = Dependency(
        artifact.artifact(coordinate.classifier, "jar"),
        "compile",
        exclusions=[context.project(group, name) for group, name in leave_out],
        raw=True,
    )
    try:
        _, found = resolver.resolve([root])
    except ScurryError:
        raise
    except Exception as error:  # jgo raises whatever a pom that makes no sense leads it to
        raise ArtifactError(
            f"the dependencies of '{coordinate}' cannot be worked out: {str(error) or type(error).__name__}",
            hint="Build a jar with everything in it, and name its path instead",
        ) from error
    _all_poms_there(coordinate, found, resolver)
    return tuple(
        Coordinate(group=item.groupId, artifact=item.artifactId, version=item.version, classifier=item.classifier)
        for item in found
        if item.scope in _AT_RUN_TIME and item.type == "jar"
    )


def _all_poms_there(coordinate: Coordinate, found: Iterable[Any], resolver: _Resolver) -> None:
    """Refuse a graph with holes. A pom may only be missing for a jar that was uploaded without one."""
    own = {(coordinate.group, coordinate.artifact, coordinate.version)}
    own |= {(item.groupId, item.artifactId, item.version) for item in found}
    if missing := sorted(resolver.missing - own):
        raise ArtifactError(
            f"the dependencies of '{coordinate}' cannot be worked out: no repository has the pom of "
            f"{':'.join(missing[0])!r}",
            hint="Add the repository that has it to `repositories` in scurry.yaml",
        )


class _Resolver(PythonResolver):
    """jgo's resolver, with our way of getting files."""

    def __init__(self, repositories: Repositories) -> None:
        super().__init__(profile_constraints=_MACHINE)
        self._repositories = repositories
        self.missing: set[tuple[str, str, str]] = set()

    def download(self, artifact: Any) -> Path:
        """Get a pom for jgo, which takes a `RuntimeError` as its absence."""
        project = artifact.component.project
        path = "/".join((*project.groupId.split("."), project.artifactId, artifact.version, artifact.cached_filename))
        try:
            return self._repositories.fetch(path)
        except FileNotInRepositories as error:
            self.missing.add((project.groupId, project.artifactId, artifact.version))
            raise RuntimeError(f"{path} is in no repository") from error
