"""`scurry init` writes a project that runs as it is; `scurry schema` helps to write more of it."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from scurry.cli.main import main
from scurry.flink.cluster import LocalClusters
from scurry.model.reporting import SilentReporter
from tests.cli.desk import Desk, check_document

FILES = [".gitignore", "application.yaml", "orders.sql", "scurry.yaml"]


@pytest.fixture
def empty(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk whose commands run in a folder with nothing in it, of a name that is not easy."""
    folder = desk.folder / "My shop: 'no. 1'"
    folder.mkdir()
    monkeypatch.chdir(folder)
    desk.folder = folder
    return desk


def test_init_writes_a_project_that_is_valid(empty: Desk) -> None:
    result = empty.done("init")
    assert sorted(path.name for path in empty.folder.iterdir()) == FILES
    assert "scurry apply application.yaml" in result.out
    empty.done("validate", "application.yaml")
    assert "No application is known here" in empty.done("status").out


def test_init_makes_the_folder_and_says_how_to_get_there(empty: Desk) -> None:
    result = empty.done("init", "a b/c", "--json")
    check_document("init", result.document)
    assert sorted(result.document["written"]) == FILES
    assert result.document["next"][0] == "cd 'a b/c'"
    assert (empty.folder / "a b" / "c" / "scurry.yaml").is_file()


def test_init_never_overwrites(empty: Desk) -> None:
    (empty.folder / "orders.sql").write_text("-- mine\n")
    (empty.folder / ".gitignore").write_text("*.class\n")
    result = empty.done("init")
    assert (empty.folder / "orders.sql").read_text() == "-- mine\n"
    assert "orders.sql is there already; it was left as it is" in result.out
    assert "add it to .gitignore" in result.out
    before = {path.name: path.read_bytes() for path in empty.folder.iterdir()}
    assert empty.done("init", "--json").document["written"] == []
    assert {path.name: path.read_bytes() for path in empty.folder.iterdir()} == before


def test_init_where_nothing_can_be_written_is_an_error(empty: Desk) -> None:
    (empty.folder / "file").write_text("")
    result = empty.run("init", "file/project")
    assert result.code == 1
    assert "cannot be written" in result.err


@pytest.mark.flink
@pytest.mark.timeout(600)
def test_what_init_writes_runs_as_it_is_and_goes_on_after_a_change(empty: Desk) -> None:
    try:
        empty.done("init")
        started = empty.done("apply", "application.yaml", "--yes")
        assert "http://127.0.0.1:" in started.out
        assert all(line.count(",") == 3 for line in _written(empty.folder / "output"))
        spec = empty.folder / "application.yaml"
        spec.write_text(spec.read_text().replace("orders_per_second: 20", "orders_per_second: 50"))
        upgraded = empty.done("apply", "application.yaml", "--yes", "--json").document["applications"][0]
        assert upgraded["snapshot"]["kind"] == "savepoint"
        assert upgraded["gap_seconds"] > 0
        (status,) = empty.done("status", "--json").document["applications"]
        assert status["restored_from"] == upgraded["snapshot"]["location"]
        check_document("logs", (logs := empty.done("logs", status["name"], "--tail", "5", "--json").document))
        assert {log["name"] for log in logs["logs"]} >= {"jobmanager.log", "taskmanager-1.log"}
        check_document("ui", empty.done("ui", status["name"], "--json").document)
        clusters = empty.done("local", "status", "--json").document
        check_document("local-status", clusters)
        assert clusters["clusters"][0]["whole"] is True
        assert empty.run("local", "stop").code == 1, "it asks"
        stopped = empty.run("local", "stop", "--yes")
        assert f"scurry stop {status['name']}" in stopped.out
        check_document("local-stop", empty.done("local", "stop", "--yes", "--json").document)
        (status,) = empty.done("status", "--json").document["applications"]
        assert status["phase"] == "lost"
        assert "scurry start" in empty.done("diagnose", status["name"]).out
        empty.done("start", status["name"], "--yes")
        assert empty.done("status", "--json").document["applications"][0]["restored_from"] is not None
    finally:
        LocalClusters(empty.folder / ".scurry" / "local", SilentReporter()).stop()


def _written(folder: Path) -> list[str]:
    """Wait for the first lines that the job has committed."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        lines = [
            line
            for path in (folder.glob("part-*") if folder.is_dir() else ())
            for line in path.read_text().splitlines()
        ]
        if lines:
            return lines
        time.sleep(0.2)
    raise AssertionError("the job wrote nothing")


def test_local_status_of_a_project_without_clusters_says_so(desk: Desk) -> None:
    assert "No cluster runs here" in desk.done("local", "status").out
    check_document("local-status", desk.done("local", "status", "--json").document)
    assert "No cluster runs here" in desk.done("local", "stop", "--yes").out
    check_document("local-stop", desk.done("local", "stop", "--json").document)


# Runtimes ------------------------------------------------------------------------------------------------------


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of runtimes of its own."""
    path = tmp_path / "cache"
    monkeypatch.setenv("SCURRY_CACHE", str(path))
    return path


def test_an_empty_cache_says_how_to_fill_it(desk: Desk, cache: Path) -> None:
    assert "scurry runtime install 2.3" in desk.done("runtime", "list").out
    document = desk.done("runtime", "list", "--json").document
    check_document("runtimes", document)
    assert document["cache"] == str(cache)
    result = desk.run("runtime", "remove", "2.3.0", "--yes", "--json")
    assert result.code == 1
    assert result.document["error"]["code"] == "runtime-unavailable"


def test_runtimes_are_listed_with_what_they_weigh_and_removed_after_asking(desk: Desk, cache: Path) -> None:
    from scurry.flink.install_cache import InstallCache, Slot

    slot = Slot(kind="flink", key="2.3.0", version="2.3.0", source="pypi", title="Flink 2.3.0")

    def build(staging: Path) -> Path:
        (staging / "home" / "lib").mkdir(parents=True)
        (staging / "home" / "lib" / "flink-dist-2.3.0.jar").write_bytes(b"x" * 2_000_000)
        return staging / "home"

    InstallCache(cache, SilentReporter()).obtain(slot, build)
    table = desk.done("runtime", "list").out
    assert table.splitlines()[0].split() == ["KIND", "VERSION", "SIZE", "USED", "SOURCE"]
    assert "2.0 MB" in table
    document = desk.done("runtime", "list", "--json").document
    check_document("runtimes", document)
    assert document["runtimes"][0]["size_bytes"] >= 2_000_000
    assert desk.run("runtime", "remove", "2.3.0").code == 1
    document = desk.done("runtime", "remove", "2.3.0", "--yes", "--json").document
    check_document("runtime-remove", document)
    assert document["freed_bytes"] >= 2_000_000
    assert desk.done("runtime", "list", "--json").document["runtimes"] == []


@pytest.mark.network
def test_a_version_that_does_not_exist_is_an_error_that_names_those_that_do(desk: Desk, cache: Path) -> None:
    result = desk.run("runtime", "install", "9.9", "--json")
    assert result.code == 1
    check_document("error", result.document)
    assert result.document["error"]["code"] == "runtime-unavailable"


@pytest.mark.network
def test_install_says_where_flink_and_java_are(desk: Desk) -> None:
    document = desk.done("runtime", "install", "2.3.0", "--json").document
    check_document("runtime-install", document)
    assert document["installed"][0]["version"] == "2.3.0"
    assert document["installed"][0]["java"]["major"] >= 11


# Schema and completion -----------------------------------------------------------------------------------------


def test_schema_is_a_json_schema_of_either_file(desk: Desk) -> None:
    application = desk.done("schema").document
    assert application == desk.done("schema", "application").document
    assert {"name", "flink", "code", "upgrade"} <= set(application["properties"])
    assert "targets" in desk.done("schema", "project").document["properties"]
    assert desk.run("schema", "nothing").code == 2


def _completed(desk: Desk, line: str, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Return what bash would offer for a command line."""
    words = line.split(" ")
    monkeypatch.setenv("_SCURRY_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
    monkeypatch.setattr(sys, "argv", ["scurry"])
    with pytest.raises(SystemExit):
        main([])
    monkeypatch.delenv("_SCURRY_COMPLETE")
    captured = desk._capsys.readouterr()
    assert captured.err == ""
    return set(captured.out.split())


def test_the_shell_completes_commands_names_environments_and_snapshots(
    running: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    running.done("snapshot", "create", "shop", "--yes")
    spec = running.folder / "shop.yaml"
    spec.write_text(spec.read_text() + "environments: {production: {}}\n")
    location = running.done("snapshot", "list", "shop", "--json").document["snapshots"][0]["location"]
    name = location.rpartition("/")[2]
    running.done("status")
    assert {"status", "stop", "start"} <= _completed(running, "scurry st", monkeypatch)
    assert _completed(running, "scurry stop s", monkeypatch) == {"shop"}
    assert _completed(running, "scurry stop x", monkeypatch) == set()
    assert _completed(running, "scurry snapshot show shop s", monkeypatch) == {name}
    assert _completed(running, "scurry start shop --from ", monkeypatch) == {"latest", "none", name}
    assert _completed(running, "scurry plan shop.yaml --env ", monkeypatch) == {"production"}
    assert _completed(running, "scurry plan shop.yaml --target m", monkeypatch) == {"mem"}
    assert _completed(running, "scurry prune s", monkeypatch) == {"shop"}
    assert _completed(running, "scurry adopt shop.yaml --job ", monkeypatch) == {"latest"}
    assert _completed(running, "scurry freeze --target ", monkeypatch) >= {"mem", "local"}
    assert _completed(running, "scurry thaw ", monkeypatch) == set()
    running.done("freeze", "shop", "--target", "mem", "--reason", "sale")
    assert _completed(running, "scurry thaw ", monkeypatch) == {"shop"}
    assert _completed(running, "scurry thaw --target ", monkeypatch) == {"mem"}


def test_a_completion_that_cannot_be_is_silent(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    (desk.folder / "scurry.yaml").write_text("targets: [\n")
    desk.run("status")
    assert _completed(desk, "scurry stop ", monkeypatch) == set()


def test_completion_looks_and_makes_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.run("--version")
    assert _completed(desk, "scurry stop ", monkeypatch) == set()
    assert not (desk.folder / ".scurry").exists()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_can_be_shown_for_every_shell(desk: Desk, shell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    with pytest.raises(SystemExit) as left:
        main(["--show-completion", shell])
    assert left.value.code == 0
    assert "_SCURRY_COMPLETE" in desk._capsys.readouterr().out
