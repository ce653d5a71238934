"""From a wish to what the cluster is asked to run: the jar to upload, and the request without its marks and state."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from scurry.flink.job_graph_python import PYTHON_DRIVER
from scurry.flink.rest import JarRequest
from scurry.model.desired import ArtifactKind
from scurry.model.errors import RuntimeUnavailable
from scurry.model.values import SecretRef, Text

if TYPE_CHECKING:
    from pathlib import Path

    from scurry.flink.runtimes import Runtimes
    from scurry.model.desired import Desired
    from scurry.model.ports import ArtifactStore, Secrets
    from scurry.targets.rest.delivery import DeliveredProperties, DeliveredPython

RETENTION = "execution.checkpointing.externalized-checkpoint-retention"
JOB_PARAMETERS = "pipeline.global-job-parameters"
_DIGITS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What to upload and what to run, secrets resolved."""

    jar: Path
    jar_name: str
    """what the cluster shows it as; holds its digest, so that an upload that is there is found again"""
    request: JarRequest = field(repr=False)
    conceal: tuple[str, ...] = field(default=(), repr=False)
    """secrets in the request"""


class Delivering(Protocol):
    """Brings what a program reads from files to where it runs."""

    @property
    def runtimes(self) -> Runtimes: ...  # noqa: D102 - see `Delivery`

    def properties(self, desired: Desired, resolve: Resolving) -> DeliveredProperties: ...  # noqa: D102

    def python(self, desired: Desired, archive: Path) -> DeliveredPython: ...  # noqa: D102


class Resolving:
    """Resolves texts and remembers what was secret."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._found: dict[str, None] = {}

    def __call__(self, text: Text) -> str:
        """Return the plain text."""
        plain = self._secrets.resolve(text)
        if isinstance(text, SecretRef) and plain:
            self._found[plain] = None
        return plain

    @property
    def found(self) -> tuple[str, ...]:
        """The secrets that were resolved, longest first: one may be part of another."""
        return tuple(sorted(self._found, key=len, reverse=True))


def make_program(desired: Desired, *, secrets: Secrets, artifacts: ArtifactStore, delivery: Delivering) -> Program:
    """Bring to the cluster's machines what it reads from files, and return the program."""
    resolve = Resolving(secrets)
    arguments = tuple(resolve(text) for text in desired.args)
    arguments += tuple(
        part for name, text in desired.secrets.items() for part in ("--secret", f"{name}={resolve(text)}")
    )
    artifact = desired.artifact
    jar, entry = artifacts.path(artifact), desired.entry
    name = jar_name(artifact.file_name, artifact.digest)
    configuration = _configuration(desired, resolve, delivery)
    if artifact.kind is ArtifactKind.PYTHON:
        delivered = delivery.python(desired, jar)
        jar, entry = _python_jar(delivery, desired.flink_version), PYTHON_DRIVER
        name = jar.name
        arguments = ("-py", str(delivered.script), *arguments)
        configuration = delivered.config | configuration
    request = JarRequest(
        entry_class=entry,
        program_args_list=arguments,
        parallelism=desired.parallelism,
        flink_configuration=configuration,
    )
    return Program(jar=jar, jar_name=name, request=request, conceal=resolve.found)


def jar_name(file_name: str, digest: str) -> str:
    """Return a file name that says what it is to people and to us: `orders-0123….jar`."""
    stem = re.sub(r"[^A-Za-z0-9.-]+", "-", file_name.removesuffix(".jar"))[:60].strip("-.") or "job"
    return f"{stem}-{jar_digest(digest)}.jar"


def jar_digest(digest: str) -> str:
    """Return the part of an artifact's digest that is in the name of its jar."""
    return digest.rpartition(":")[2][:_DIGITS]


def digest_in(name: str) -> str | None:
    """Return that part from a jar's name; None for a name that `jar_name` did not make."""
    found = re.search(rf"-([0-9a-f]{{{_DIGITS}}})\.jar$", name)
    return found[1] if found else None


def job_parameters(values: dict[str, str]) -> str:
    """Write a map option so that every Flink reads it back the same, whatever characters are in it.

    Keys, values and whole entries are quoted as `StructuredOptionsSplitter` has it; Flink 2.x, which tries YAML first,
    cannot mistake that for YAML and falls back to it (measured on 1.20.5 and 2.3.0).
    """
    return ",".join(_quoted(f"{_quoted(key)}:{_quoted(value)}") for key, value in values.items())


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _configuration(desired: Desired, resolve: Resolving, delivery: Delivering) -> dict[str, str]:
    # Checkpoints outlive a cancelled or failed job, as with Flink's own operator: they may be all that is left of it.
    given = {"pipeline.name": desired.application, RETENTION: "RETAIN_ON_CANCELLATION"}
    given |= {key: resolve(text) for key, text in desired.config.items()}
    delivered = delivery.properties(desired, resolve)
    given |= delivered.config
    if delivered.parameters and JOB_PARAMETERS not in given:
        given[JOB_PARAMETERS] = job_parameters(delivered.parameters)
    return given


def _python_jar(delivery: Delivering, flink_version: str) -> Path:
    home = delivery.runtimes.flink(flink_version).home
    jar = next(iter(sorted((home / "opt").glob("flink-python*.jar"))), None)
    if jar is None:
        raise RuntimeUnavailable(f"the Flink in {str(home)!r} has no 'opt/flink-python-*.jar', which PyFlink needs")
    return jar
