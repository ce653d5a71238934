"""Builds the application's jars: as it is in app/Totals.java, and with each change that the situations make to it.

    python build.py

scurry's own compiler is used, so that this runs without Maven; `build/NAME.jar` is what Maven would make.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

from scurry.flink.java_programs import Program, compile_program
from scurry.flink.runtimes import Runtimes, default_cache
from scurry.model.reporting import SilentReporter

HERE = Path(__file__).parent
SOURCE = HERE / "app" / "Totals.java"
FLINK = "1.19.3"
"""the oldest that the application runs on"""

CHANGES = {
    "totals-1": {},
    "totals-2": {'" windows\\n"': '" windows of 50\\n"'},
    "totals-loop": {
        "long total =": 'if (window > 0) throw new IllegalStateException("price is missing");\n            long total ='
    },
    "totals-without-total": {'.keyBy(window -> 0).map(new Total(output)).uid("total")': ""},
    "totals-renamed": {'.uid("total")': '.uid("totals")'},
}
"""name of a jar: what is replaced in the source by what"""


def main(build: Path = HERE / "build") -> None:
    """Build all jars that are not there yet."""
    runtimes = Runtimes(cache=default_cache(), reporter=SilentReporter())
    build.mkdir(exist_ok=True)
    for name, change in CHANGES.items():
        _jar(build / f"{name}.jar", _changed(change), "Totals", runtimes)
    # The change that cannot start: somebody moved the class, and the manifest names the old one.
    _jar(build / "totals-wrong-class.jar", _changed({}), "com.example.Totals", runtimes)


def _changed(change: dict[str, str]) -> str:
    text = SOURCE.read_text("utf-8")
    for before, after in change.items():
        assert before in text, f"{SOURCE.name} has no {before!r}"
        text = text.replace(before, after)
    return text


def _jar(path: Path, source: str, main_class: str, runtimes: Runtimes) -> None:
    if path.exists():
        return
    program = Program(name="Totals", sources={SOURCE.name: source.encode()})
    flink, java = runtimes.flink(FLINK), runtimes.java(FLINK)
    classes = compile_program(program, flink=flink, java=java, cache=runtimes.cache)
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("META-INF/MANIFEST.MF", f"Manifest-Version: 1.0\nMain-Class: {main_class}\n")
        for file in sorted(classes.glob("*.class")):
            packed.write(file, file.name)


if __name__ == "__main__":
    main()
