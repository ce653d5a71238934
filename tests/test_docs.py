"""Nothing undocumented, no page out of date, no dead link, and what README and tutorial show does happen."""

from __future__ import annotations

import importlib
import importlib.util
import os
import pkgutil
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import scurry
from scurry.cli.documents import DOCUMENTS
from scurry.model.errors import ScurryError
from tests.console_blocks import Command, NewFile, Page, missing_line, read_page, run_page

ROOT = Path(__file__).resolve().parent.parent
_SKIPPED = {".venv", ".git", "node_modules", ".scurry", ".pytest_cache"}


def _pages() -> list[Path]:
    return [path for path in sorted(ROOT.rglob("*.md")) if not _SKIPPED & set(path.relative_to(ROOT).parts)]


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _load_reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference", ROOT / "scripts" / "reference.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["reference"] = module
    spec.loader.exec_module(module)
    return module


reference = _load_reference()
_COMMANDS = dict(reference.commands())


# The reference -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(reference.pages()))
def test_the_reference_is_what_the_code_says(name: str) -> None:
    page = reference.FOLDER / name
    assert page.is_file(), f"{name} is missing; run: make docs"
    assert page.read_text("utf-8") == reference.pages()[name], f"{name} is out of date; run: make docs"


def test_check_fails_on_a_page_that_is_out_of_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference, "ROOT", tmp_path)
    monkeypatch.setattr(reference, "FOLDER", tmp_path / "reference")
    assert reference.main(["--check"]) == 1
    assert not (tmp_path / "reference").exists()
    assert reference.main([]) == 0
    assert reference.main(["--check"]) == 0
    page = tmp_path / "reference" / "cli.md"
    page.write_text(page.read_text("utf-8") + "by hand\n", "utf-8")
    assert reference.main(["--check"]) == 1


@pytest.mark.parametrize("name", sorted(_COMMANDS))
def test_every_command_and_everything_that_it_takes_says_what_it_is_for(name: str) -> None:
    command = _COMMANDS[name]
    assert command.help
    assert command.help.strip().split("\n")[0].endswith(".")
    shown = [parameter for parameter in command.params if not getattr(parameter, "hidden", False)]
    for parameter in shown:
        assert parameter.help, f"{name}: {parameter.name} has no help"
        assert parameter.help.endswith("."), f"{name}: the help of {parameter.name} is no sentence"


def test_every_command_of_the_contract_is_there() -> None:
    contract = (
        "init, validate, plan, apply, status, watch, history, diff, rollback, stop, start, restart, scale, "
        "snapshot create, snapshot list, snapshot show, snapshot drop, diagnose, logs, ui, delete, "
        "runtime list, runtime install, runtime remove, local status, local stop, schema"
    )
    assert set(contract.split(", ")) <= set(_COMMANDS)


@pytest.mark.parametrize("name", sorted(_COMMANDS))
def test_every_command_that_writes_json_has_its_document_described(name: str) -> None:
    takes_json = any("--json" in parameter.opts for parameter in _COMMANDS[name].params)
    described = [document for document in DOCUMENTS.values() if name in document.commands]
    assert len(described) == int(takes_json)


def test_no_document_is_described_that_no_command_writes() -> None:
    assert {command for document in DOCUMENTS.values() for command in document.commands} - {"any"} <= set(_COMMANDS)


def test_every_error_of_every_package_has_a_heading_under_its_code() -> None:
    for module in pkgutil.walk_packages(scurry.__path__, "scurry."):
        if not module.name.startswith(("scurry.testing",)):
            importlib.import_module(module.name)
    headings = set(re.findall(r"^## (\S+)$", (reference.FOLDER / "errors.md").read_text("utf-8"), re.MULTILINE))
    for found in _all_errors(ScurryError):
        assert found.__doc__, f"{found.__name__} does not say what it is"
        assert found.code in headings, f"{found.__module__}.{found.__name__}: {found.code} is not in errors.md"


def _all_errors(root: type[ScurryError]) -> list[type[ScurryError]]:
    return [found for child in root.__subclasses__() for found in (child, *_all_errors(child))]


def test_every_code_that_is_given_without_a_class_has_a_heading() -> None:
    written = set()
    for path in (ROOT / "src").rglob("*.py"):
        written |= set(re.findall(r'\bcode="([a-z-]+)"', path.read_text("utf-8")))
    headings = set(re.findall(r"^## (\S+)$", (reference.FOLDER / "errors.md").read_text("utf-8"), re.MULTILINE))
    assert written <= headings


@pytest.mark.parametrize("schema", [reference.application_schema, reference.project_schema])
def test_every_field_of_a_spec_says_what_it_means(schema: object) -> None:
    found = schema()  # type: ignore[operator]
    for owner, node in {"": found, **found["$defs"]}.items():
        for key, value in node.get("properties", {}).items():
            described = value.get("description") or "$ref" in value or owner.startswith("Overlay")
            assert described, f"{owner}.{key} has no description"
        assert node.get("description") or owner.startswith("Overlay"), f"{owner or 'the file'} has no description"


# Links ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", _pages(), ids=_name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in _links(page.read_text("utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        assert path.exists(), f"{_name(page)}: {target} leads nowhere"
        if anchor and path.suffix == ".md":
            assert anchor in _anchors(path), f"{_name(page)}: {target}: the page has no such heading"


def _links(text: str) -> list[str]:
    without_code = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)
    return [link.split(" ")[0] for link in re.findall(r"\]\(([^)]+)\)", without_code)]


def _anchors(page: Path) -> set[str]:
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


# What pages show -----------------------------------------------------------------------------------------------


def _runnable() -> list[object]:
    found: list[object] = []
    for path in _pages():
        page = read_page(path.read_text("utf-8"))
        if page.steps:
            marks = [pytest.mark.flink, pytest.mark.timeout(900)] if page.needs_flink else []
            found.append(pytest.param(page, id=_name(path), marks=marks))
    return found


@pytest.mark.parametrize("page", _runnable())
def test_what_a_page_shows_is_what_happens(page: Page, tmp_path: Path) -> None:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "NO_COLOR": "1"}
    try:
        assert run_page(page, tmp_path, environment) == []
    finally:
        _stop_clusters(tmp_path)


def _stop_clusters(folder: Path) -> None:
    for local in folder.rglob(".scurry/local"):
        subprocess.run(
            [sys.executable, "-m", "scurry.cli.main", "local", "stop", "--yes", "--workspace", local.parent.parent],
            check=False,
        )


# The runner itself ---------------------------------------------------------------------------------------------

_PAGE = """\
# Title
```console
$ not run
```
<!-- file: a/b.txt -->
```text
hello
```
<!-- run -->
```console
$ cd a
$ cat b.txt
hello
$ printf 'one 1\\ntwo\\n' &&
> false # exit code 1
one 2
```
"""


def test_a_page_is_read_to_files_and_commands_in_order() -> None:
    page = read_page(_PAGE)
    assert page.steps == (
        NewFile(name="a/b.txt", text="hello\n"),
        Command(text="cd a"),
        Command(text="cat b.txt", shown=("hello",)),
        Command(text="printf 'one 1\\ntwo\\n' &&\nfalse", shown=("one 2",), exit_code=1),
    )
    assert not page.needs_flink
    assert read_page(_PAGE.replace("<!-- run -->", "<!-- run flink -->")).needs_flink


def test_a_page_that_is_right_passes(tmp_path: Path) -> None:
    assert run_page(read_page(_PAGE), tmp_path, dict(os.environ)) == []


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("$ cat b.txt\nhello", "$ cat b.txt\nbye", "did not show `bye`"),
        ("# exit code 1", "# exit code 2", "ended with 1, not with 2"),
        ("$ cd a", "$ cd nowhere", "ended with 1"),
    ],
)
def test_a_page_that_is_wrong_fails(tmp_path: Path, right: str, wrong: str, told: str) -> None:
    (problem,) = run_page(read_page(_PAGE.replace(right, wrong)), tmp_path, dict(os.environ))
    assert told in problem


@pytest.mark.parametrize("bad", ["<!-- run -->\n```bash\n$ ls\n```\n", "<!-- run -->\n```console\nls\n```\n"])
def test_a_block_that_cannot_be_run_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match="console"):
        read_page(bad)


@pytest.mark.parametrize(
    ("shown", "output", "missing"),
    [
        (("done in 0.4 s",), "x\ndone in 12 s\ny", None),
        (("job 4994e2b0 …",), "job aa0011bb99 is running", None),
        (("a  b",), "a      b", None),
        (("b", "a"), "a\nb", "a"),
        (("done",), "not done", "done"),
    ],
)
def test_output_is_compared_loosely_but_in_order(shown: tuple[str, ...], output: str, missing: str | None) -> None:
    assert missing_line(shown, output) == missing
