"""The artifact store: identity by bytes, atomic, safe with several at once, honest about damage."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scurry.artifacts.store import ArtifactStore
from scurry.model.desired import Artifact, ArtifactKind
from scurry.model.errors import ArtifactError, WorkspaceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from scurry.model.ports import ArtifactStore as Port

JAR = ArtifactKind.JAR
SHA_OF_HELLO = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"


def left_over(store: ArtifactStore) -> list[str]:
    """What lies in the store's folder that is no artifact."""
    return [path.name for path in store.directory.glob(".incoming*")]


def test_it_is_what_the_engine_needs(store: ArtifactStore) -> None:
    port: Port = store
    assert port.path(store.put_bytes(b"hello", JAR, "a.jar")).read_bytes() == b"hello"


def test_an_artifact_is_known_by_its_bytes(store: ArtifactStore, tmp_path: Path) -> None:
    (tmp_path / "app.jar").write_bytes(b"hello")
    artifact = store.put_file(tmp_path / "app.jar", JAR)
    assert artifact == Artifact(kind=JAR, digest=SHA_OF_HELLO, file_name="app.jar", size_bytes=5)
    assert store.put_bytes(b"hello", JAR, "app.jar") == artifact
    assert store.path(artifact).name == "app.jar"
    assert store.list() == (artifact,)


def test_the_store_keeps_its_copy_when_the_file_changes_or_goes(store: ArtifactStore, tmp_path: Path) -> None:
    file = tmp_path / "app.jar"
    file.write_bytes(b"first build")
    first = store.put_file(file, JAR)
    file.write_bytes(b"second build")
    second = store.put_file(file, JAR)
    file.unlink()
    assert store.path(first).read_bytes() == b"first build"
    assert store.path(second).read_bytes() == b"second build"


def test_a_file_that_is_there_already_is_not_copied_again(store: ArtifactStore, tmp_path: Path) -> None:
    (tmp_path / "app.jar").write_bytes(b"hello")
    path = store.path(store.put_file(tmp_path / "app.jar", JAR))
    inode = path.stat().st_ino
    store.put_file(tmp_path / "app.jar", JAR)
    assert path.stat().st_ino == inode


def test_a_name_with_folders_in_it_stays_inside_the_store(store: ArtifactStore) -> None:
    artifact = store.put_bytes(b"hello", JAR, "../../../etc/evil.jar")
    assert artifact.file_name == "evil.jar"
    assert store.path(artifact).is_relative_to(store.directory)


def test_an_artifact_that_is_not_there_is_named(store: ArtifactStore) -> None:
    artifact = store.put_bytes(b"hello", JAR, "app.jar")
    assert store.discard(artifact.digest) > 5
    assert store.discard(artifact.digest) == 0
    assert store.list() == ()
    with pytest.raises(ArtifactError, match=r"the artifact 'app\.jar'") as caught:
        store.path(artifact)
    assert SHA_OF_HELLO in caught.value.message
    assert not left_over(store)


def test_changed_bytes_are_noticed_and_never_handed_out(store: ArtifactStore) -> None:
    artifact = store.put_bytes(b"hello", JAR, "app.jar")
    path = store.path(artifact)
    path.chmod(0o644)
    path.write_bytes(b"HELLO")
    with pytest.raises(ArtifactError, match="was changed after it was stored"):
        store.path(artifact)
    assert not store.has(artifact)


def test_a_damaged_artifact_is_replaced_when_it_is_put_again(store: ArtifactStore) -> None:
    artifact = store.put_bytes(b"hello", JAR, "app.jar")
    path = store.path(artifact)
    path.chmod(0o644)
    path.write_bytes(b"HELLO")
    assert store.put_bytes(b"hello", JAR, "app.jar") == artifact
    assert store.path(artifact).read_bytes() == b"hello"


def test_a_copy_of_the_workspace_is_believed_after_a_look_at_its_bytes(store: ArtifactStore) -> None:
    artifact = store.put_bytes(b"hello", JAR, "app.jar")
    os.utime(store.path(artifact), (1, 1))
    assert store.path(artifact).read_bytes() == b"hello"


def test_many_at_once_put_the_same_and_different_bytes(store: ArtifactStore, tmp_path: Path) -> None:
    start = threading.Barrier(12)
    found: list[Artifact] = []

    def work(number: int) -> None:
        mine = ArtifactStore(store.directory)
        file = tmp_path / f"{number}.jar"
        file.write_bytes(b"x" * 100_000 if number % 2 else f"{number}".encode() * 50_000)
        start.wait()
        found.append(mine.put_file(file, JAR))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 12
    assert all(store.has(artifact) for artifact in found)
    assert len({artifact.digest for artifact in found}) == len(store.list()) == 7
    assert not left_over(store)


def test_a_missing_file_is_the_users_error(store: ArtifactStore, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"gone\.jar' cannot be read: No such file"):
        store.put_file(tmp_path / "gone.jar", JAR)
    with pytest.raises(ArtifactError, match="cannot be read: Is a directory"):
        store.put_file(tmp_path, JAR)


def test_a_full_disk_leaves_nothing_and_says_so(tmp_path: Path) -> None:
    """A limit on the size of files is what a full disk looks like to a process, without filling one."""
    code = (
        "import resource, signal, sys, pathlib\n"
        "from scurry.artifacts.store import ArtifactStore\n"
        "from scurry.model.desired import ArtifactKind\n"
        "from scurry.model.errors import WorkspaceError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))\n"
        "try:\n"
        "    ArtifactStore(pathlib.Path(sys.argv[1])).put_bytes(bytes(1_000_000), ArtifactKind.JAR, 'big.jar')\n"
        "except WorkspaceError as error:\n"
        "    print(error.message)\n"
    )
    assert hasattr(resource, "RLIMIT_FSIZE")
    answer = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "store")], capture_output=True, text=True, check=True
    )
    assert "there is no room left to write" in answer.stdout
    assert list((tmp_path / "store").iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_store_of_another_user_is_told(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir(mode=0o555)
    with pytest.raises(WorkspaceError, match="cannot be written"):
        ArtifactStore(tmp_path / "store").put_bytes(b"hello", JAR, "app.jar")


def test_a_store_whose_place_is_taken_by_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("in the way")
    with pytest.raises(WorkspaceError, match="cannot be written"):
        ArtifactStore(tmp_path / "store").put_bytes(b"hello", JAR, "app.jar")


def test_what_a_killed_process_left_is_cleared_away_once_it_is_old(store: ArtifactStore) -> None:
    store.directory.mkdir()
    old, young = store.directory / ".incoming-old", store.directory / ".incoming-young"
    old.mkdir()
    young.mkdir()
    os.utime(old, (1, 1))
    store.put_bytes(b"hello", JAR, "app.jar")
    assert left_over(store) == [".incoming-young"]


def test_what_was_built_is_found_again_until_its_bytes_are_gone(store: ArtifactStore) -> None:
    artifact = store.put_bytes(b"hello", JAR, "app.jar")
    store.remember_built("key", artifact)
    assert store.built("key") == artifact
    assert store.built("another") is None
    store.discard(artifact.digest)
    assert store.built("key") is None
    (store.directory / "built" / "key.json").write_text("not json")
    assert store.built("key") is None


def test_a_stranger_in_the_store_is_not_listed(store: ArtifactStore) -> None:
    artifact = store.put_bytes(b"hello", JAR, "app.jar")
    (store.directory / ("0" * 64)).mkdir()
    (store.directory / "notes.txt").write_text("mine")
    assert store.list() == (artifact,)


def test_what_nobody_needs_and_nobody_used_lately_is_unused(store: ArtifactStore) -> None:
    needed, old, young = (store.put_bytes(name.encode(), ArtifactKind.JAR, f"{name}.jar") for name in ("n", "o", "y"))
    for artifact in (needed, old):
        os.utime(store.path(artifact).parent, (0, 0))
    before = datetime.now(UTC) - timedelta(hours=1)
    assert store.unused({needed.digest}, before=before) == (old,)
    assert store.unused({needed.digest}, before=datetime.now(UTC) + timedelta(hours=1)) == (old, young)


def test_what_is_put_or_built_again_counts_as_used(store: ArtifactStore, tmp_path: Path) -> None:
    file = tmp_path / "a.jar"
    file.write_bytes(b"a")
    before = datetime.now(UTC) - timedelta(hours=1)
    artifact = store.put_file(file, ArtifactKind.JAR)
    store.remember_built("key", artifact)
    uses: tuple[Callable[[], Artifact | None], ...] = (lambda: store.put_file(file, JAR), lambda: store.built("key"))
    for use in uses:
        os.utime(store.path(artifact).parent, (0, 0))
        assert store.unused((), before=before) == (artifact,)
        assert use() == artifact
        assert store.unused((), before=before) == ()


def test_what_was_built_is_forgotten_when_it_is_gone_and_looking_uses_nothing(store: ArtifactStore) -> None:
    kept, gone = (store.put_bytes(name, ArtifactKind.JAR, "a.jar") for name in (b"kept", b"gone"))
    store.remember_built("kept", kept)
    store.remember_built("gone", gone)
    store.discard(gone.digest)
    os.utime(store.path(kept).parent, (0, 0))
    store.forget_built()
    assert [record.stem for record in (store.directory / "built").iterdir()] == ["kept"]
    assert store.unused((), before=datetime.now(UTC) - timedelta(hours=1)) == (kept,)
