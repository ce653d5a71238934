"""Asks a small Java program of ours something about a program of the user's, which runs in that same JVM, apart.

The question goes in by standard input, the answer comes out in a file: the user's code prints where it likes. The
first process of a kind records an archive of its classes, the next ones are three times as fast (`class_data.py`).
"""

from __future__ import annotations

import os
import struct
import tempfile
import zipfile
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from scurry.flink import class_data, launch
from scurry.flink.class_data import ClassData
from scurry.flink.isolation import Enclosure, Fence, enclosure
from scurry.flink.java_programs import compile_program
from scurry.flink.planner_jar import with_planner
from scurry.model.errors import RuntimeUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from scurry.flink.installed import FlinkRuntime, JavaRuntime
    from scurry.model.reporting import Reporter

# A process of a second or two: the quick compiler and the collector without threads are right for it.
_SPEED: tuple[str, ...] = (
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
    "-XX:-UsePerfData",
    "-XX:+ExitOnOutOfMemoryError",
)
_ANSWER = "answer.json"
FILES = "\0files"
"""in a pair's value: the folder of the files that a program is given, and may write"""
Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Java:
    """What such a program runs on."""

    flink: FlinkRuntime
    java: JavaRuntime
    cache: Path
    reporter: Reporter | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What to ask whom."""

    program: str
    """of ours (`java_programs.py`), with its main class `io.scurry.<program>`"""
    role: str
    """questions of one role load much the same classes, and share an archive of them"""
    pairs: Pairs = field(repr=False)
    """name and value, which may be a secret"""
    environment: Mapping[str, str] = field(repr=False)
    timeout_s: float
    network: bool = False
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    """files that it is given; a pair's value tells where by `FILES` and `/name`"""
    further_jars: tuple[Path, ...] = ()
    plans_sql: bool = False
    """it will take long, unless the planner is unpacked for it"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of it: `content`, or None when the program ended without an answer or took too long."""

    content: bytes | None
    exit_code: int | None
    """None: it was ended, since the time was up"""
    output: str
    """the end of what was printed"""
    fence: Fence
    records: bool = False
    """the process writes down an archive of its classes before it ends"""


def ask(question: Question, on: Java) -> Answer:
    """Ask, and wait for the answer.

    Raises `RuntimeUnavailable` when Java does not run or the program cannot be compiled, `WorkspaceError`.
    """
    if not os.access(on.java.executable, os.X_OK):
        raise RuntimeUnavailable(
            f"the Java at {str(on.java.home)!r} does not run: it has no 'bin/java'",
            hint="Name another one with `java_home`",
        )
    compiled = compile_program(question.program, flink=on.flink, java=on.java, cache=on.cache, reporter=on.reporter)
    flink_jars = launch.jars_of(on.flink.home)
    if question.plans_sql:
        flink_jars = with_planner(flink_jars, on.cache)
    jars = (*flink_jars, _packed(compiled), *question.further_jars)
    archives = ClassData(on.cache, flink_version=on.flink.version, java=on.java, jars=jars)
    with enclosure() as place:
        sharing = archives.flags(question.role, record=True)
        recorded = class_data.recorded_by(sharing)
        for name, content in question.files.items():
            (place.files / name).write_bytes(content)
        command = (
            *(str(on.java.executable), *_SPEED, *launch.MODULE_OPTIONS, *sharing),
            *(f"-Djava.io.tmpdir={place.files}", f"-Dlog4j.configurationFile={_logging(place)}"),
            *("-cp", os.pathsep.join(map(str, jars)), f"io.scurry.{question.program}"),
        )
        own = (("answer", str(place.files / _ANSWER)), *((("orderly", "true"),) if recorded else ()))
        given = ((name, value.replace(FILES, str(place.files))) for name, value in question.pairs)
        said = _frames((*given, *own))
        place.start(command, environment=_environment(question, on), network=question.network, said=said)
        answer = _wait(question, place)
        if recorded is None or answer.content is None:
            return answer
        place.release(keep=recorded)
        return replace(answer, records=True)


def _wait(question: Question, place: Enclosure) -> Answer:
    path = place.files / _ANSWER
    try:
        code = place.await_file(path, timeout_s=question.timeout_s)
    except TimeoutError:
        return Answer(content=None, exit_code=None, output=place.output, fence=place.fence)
    content = path.read_bytes() if code is None else None
    return Answer(content=content, exit_code=code, output=place.output, fence=place.fence)


def _environment(question: Question, on: Java) -> dict[str, str]:
    # The places only: plug-ins are found by FLINK_PLUGINS_DIR, PyFlink's jar by FLINK_OPT_DIR (`ConfigConstants`).
    home = on.flink.home
    return {
        **question.environment,
        "FLINK_HOME": str(home),
        "FLINK_LIB_DIR": str(home / "lib"),
        "FLINK_OPT_DIR": str(home / "opt"),
        "FLINK_PLUGINS_DIR": str(home / "plugins"),
    }


def _logging(place: Enclosure) -> str:
    """Write a Log4j configuration that shows warnings only."""
    path = place.files / "log4j.properties"
    path.write_text(
        "rootLogger.level = WARN\nrootLogger.appenderRef.console.ref = Console\nappender.console.name = Console\n"
        "appender.console.type = CONSOLE\nappender.console.layout.type = PatternLayout\n"
        "appender.console.layout.pattern = %-5p %c{1} - %m%n\n"
    )
    return path.as_uri()


def _frames(pairs: Iterable[tuple[str, str]]) -> bytes:
    """Write pairs as `Asked.read` reads them: each text with its length, an empty name at the end."""
    texts = [text for pair in pairs for text in pair]
    encoded = (text.encode() for text in (*texts, ""))
    return b"".join(struct.pack(">i", len(text)) + text for text in encoded)


def _packed(classes: Path) -> Path:
    """Return the program as a jar: an archive of classes knows no folders."""
    jar = classes / "program.jar"
    if jar.exists():
        return jar
    descriptor, draft = tempfile.mkstemp(dir=classes)
    os.close(descriptor)
    try:
        with zipfile.ZipFile(draft, "w") as packed:
            for path in sorted(classes.glob("**/*.class")):
                packed.write(path, str(path.relative_to(classes)))
        # Whoever comes second keeps the first one's: an archive depends on its time, too.
        with suppress(FileExistsError):
            os.link(draft, jar)
    finally:
        os.unlink(draft)
    return jar
