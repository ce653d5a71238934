"""The zip of a PyFlink application: the script and what it needs, nothing else, the same to the byte."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scurry.artifacts.python_package import PythonParts, package_python
from scurry.model.desired import ArtifactKind
from scurry.model.errors import ArtifactError, SpecInvalid
from tests.artifacts.jars import write_jar

if TYPE_CHECKING:
    from scurry.artifacts.store import ArtifactStore

REQUIREMENTS = PythonParts(requirements="requirements.txt")
FILES = {
    "job/main.py": "import helper\n",
    "job/helper.py": "",
    "job/package/__init__.py": "",
    "job/package/inner.py": "",
    "job/notes.md": "not code",
    "job/__pycache__/main.cpython-311.pyc": "cache",
    "job/.hidden/secret.py": "",
    "job/.scurry/artifacts/x.py": "",
    "job/.env.py": "",
    "job/environment/pyvenv.cfg": "home = /usr",
    "job/environment/lib/module.py": "",
    "job/lib/site-packages/other.py": "",
    "data/lookup.csv": "a,b\n",
    "data/more/deep.json": "{}",
    "data/more/.hidden": "",
    "requirements.txt": "pandas==2.2\r\nrequests\n",
}


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A project's folder."""
    for name, text in FILES.items():
        path = tmp_path / "project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    return tmp_path / "project"


def names(store: ArtifactStore, base: Path, parts: PythonParts | None = None) -> list[str]:
    artifact = package_python("job/main.py", parts or PythonParts(), base=base, store=store)
    with zipfile.ZipFile(store.path(artifact)) as archive:
        assert archive.testzip() is None
        return archive.namelist()


def test_the_script_and_the_modules_beside_it_go_in(store: ArtifactStore, base: Path) -> None:
    assert names(store, base) == ["helper.py", "main.py", "package/__init__.py", "package/inner.py"]


def test_files_that_the_spec_names_go_beside_the_script(store: ArtifactStore, base: Path) -> None:
    found = names(
        store,
        base,
        PythonParts(
            files=("data/lookup.csv", "data/more"),
            requirements="requirements.txt",
            connectors=[write_jar(base.parent / "connector-1.0.jar", {})],
        ),
    )
    assert found == [
        "helper.py",
        "lib/connector-1.0.jar",
        "lookup.csv",
        "main.py",
        "more/deep.json",
        "package/__init__.py",
        "package/inner.py",
        "requirements.txt",
    ]


def test_it_is_a_python_artifact_named_after_its_script(store: ArtifactStore, base: Path) -> None:
    artifact = package_python("job/main.py", REQUIREMENTS, base=base, store=store)
    assert (artifact.kind, artifact.file_name) == (ArtifactKind.PYTHON, "main.zip")
    with zipfile.ZipFile(store.path(artifact)) as archive:
        assert archive.read("requirements.txt") == b"pandas==2.2\nrequests\n"


def test_the_same_files_make_the_same_bytes_elsewhere(store: ArtifactStore, base: Path) -> None:
    first = package_python("job/main.py", base=base, store=store)
    other = base.rename(base.with_name("moved"))
    for path in other.glob("**/*.py"):
        path.chmod(0o755)
        os.utime(path, (1, 1))
    assert package_python("job/main.py", base=other, store=store) == first
    (other / "job" / "helper.py").write_text("x = 1\n")
    assert package_python("job/main.py", base=other, store=store) != first


def test_a_script_that_is_not_there_names_those_that_are(store: ArtifactStore, base: Path) -> None:
    with pytest.raises(ArtifactError, match=r"the Python script 'job/mian\.py' does not exist") as caught:
        package_python("job/mian.py", base=base, store=store)
    assert caught.value.hint == "Scripts there: .env.py, helper.py, main.py"


def test_a_script_that_does_not_parse_is_told_with_its_place(store: ArtifactStore, base: Path) -> None:
    script = base / "job" / "main.py"
    script.write_text("import os\n\ndef broken(:\n    pass\n")
    with pytest.raises(SpecInvalid, match="not valid Python: ") as caught:
        package_python("job/main.py", base=base, store=store)
    assert str(caught.value.place) == f"{script}:3:12"


def test_a_script_that_is_no_text_is_told(store: ArtifactStore, base: Path) -> None:
    (base / "job" / "main.py").write_bytes(b"\x00\xff")
    with pytest.raises(SpecInvalid, match="not valid Python"):
        package_python("job/main.py", base=base, store=store)


def test_what_is_missing_is_told_by_its_name(store: ArtifactStore, base: Path) -> None:
    with pytest.raises(ArtifactError, match=r"the requirements 'gone\.txt' do not exist"):
        package_python("job/main.py", PythonParts(requirements="gone.txt"), base=base, store=store)
    with pytest.raises(ArtifactError, match=r"'gone\.csv' of `code\.files` does not exist"):
        package_python("job/main.py", PythonParts(files=["gone.csv"]), base=base, store=store)


@pytest.mark.parametrize("line", ["-r other.txt", "-e .", "--constraint limits.txt"])
def test_requirements_that_refer_to_files_outside_are_refused(store: ArtifactStore, base: Path, line: str) -> None:
    (base / "requirements.txt").write_text(f"pandas\n{line}\n")
    with pytest.raises(ArtifactError, match="refers to a file that the package would not hold") as caught:
        package_python("job/main.py", REQUIREMENTS, base=base, store=store)
    assert caught.value.place is not None
    assert caught.value.place.line == 2


def test_requirements_that_are_no_text_are_refused(store: ArtifactStore, base: Path) -> None:
    (base / "requirements.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ArtifactError, match="are not UTF-8 text"):
        package_python("job/main.py", REQUIREMENTS, base=base, store=store)
