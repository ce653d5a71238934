"""What a PyFlink application's connectors become: jars that the job's classes are looked for in."""

from __future__ import annotations

from pathlib import Path

from scurry.targets.rest.delivery import DeliveredPython


def test_connectors_of_a_python_application_are_on_its_class_path(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    for name in ("kafka.jar", "b.jar", "notes.txt"):
        (tmp_path / "lib" / name).touch()
    delivered = DeliveredPython(script=tmp_path / "main.py", code=tmp_path, python=Path("/usr/bin/python3"))
    class_path = delivered.config["pipeline.classpaths"].split(";")
    assert class_path == [(tmp_path / "lib" / name).as_uri() for name in ("b.jar", "kafka.jar")]


def test_without_connectors_the_class_path_is_left_to_flink(tmp_path: Path) -> None:
    delivered = DeliveredPython(script=tmp_path / "main.py", code=tmp_path, python=Path("/usr/bin/python3"))
    assert "pipeline.classpaths" not in delivered.config
