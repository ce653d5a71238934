"""A workspace that belongs to somebody else or is read-only: whose it is, and what works all the same."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.misuse.shop import Finished, Refusal, Shop, check_refusal, finished

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
ROOT = Path(__file__).parents[2]


@pytest.fixture
def theirs(shop: Shop) -> Iterator[Shop]:
    """A running shop of root's, where everybody may read; with a second one to warm up with."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        for name in ("shop", "own"):
            shutil.copytree(shop.folder, Path(folder) / name)
        own = Shop(Path(folder) / "own")
        own.change("parallelism: 2", "parallelism: 5")
        yield Shop(Path(folder) / "shop")


def as_nobody(shop: Shop, *command: str) -> Finished:
    """Run a command as user `nobody`."""
    result = finished(
        subprocess.Popen(
            [sys.executable, "-m", "tests.misuse.as_somebody_else", str(shop.folder.parent), *command],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    )
    out, err = (text.rpartition("\0\n")[2] for text in (result.out, result.err))
    return Finished(code=result.code, out=out, err=err)


def refused(shop: Shop, *command: str) -> Refusal:
    before = shop.jobs()
    people, programs = as_nobody(shop, *command), as_nobody(shop, *command, "--json")
    assert (people.code, programs.code) == (1, 1), people.out + people.err + programs.out
    assert shop.jobs() == before
    return check_refusal(people, programs)


def test_somebody_else_may_look_but_not_change(theirs: Shop) -> None:
    theirs.change("parallelism: 2", "parallelism: 3")
    looked = as_nobody(theirs, "status")
    assert looked.code == 0, looked.err
    assert "running" in looked.out
    refusal = refused(theirs, "apply", "orders.yaml", "--yes")
    assert refusal.code == "workspace-error"
    assert "no right to write" in refusal.message
    assert "belongs to user 'root'" in refusal.hint


def test_a_workspace_that_may_not_be_read_names_its_owner(theirs: Shop) -> None:
    theirs.path(".scurry").chmod(0o700)
    for command in (("status",), ("stop", "orders", "--yes")):
        refusal = refused(theirs, *command)
        assert "Permission denied" in refusal.message
        assert "belongs to user 'root'" in refusal.hint


def test_a_spec_that_may_not_be_read_is_told_as_such(theirs: Shop) -> None:
    theirs.path("orders.yaml").chmod(0o600)
    refusal = refused(theirs, "apply", "orders.yaml", "--yes")
    assert refusal.error["file"] == "orders.yaml"
    assert "cannot be read: Permission denied" in refusal.message


def test_a_jar_that_may_not_be_read_is_told_at_its_key(theirs: Shop) -> None:
    theirs.path("orders.jar").chmod(0o600)
    refusal = refused(theirs, "apply", "orders.yaml", "--yes")
    refusal.is_at("orders.yaml", 4, "code.jar")
    assert "Permission denied" in refusal.message


def test_a_project_where_no_file_may_be_made_is_told(theirs: Shop) -> None:
    """There is no `.scurry` yet, and the folder belongs to somebody else."""
    jobs = theirs.jobs()
    theirs.path(".scurry").rename(theirs.folder.parent / "aside")
    people, programs = (as_nobody(theirs, "apply", "orders.yaml", "--yes", *more) for more in ((), ("--json",)))
    refusal = check_refusal(people, programs)
    assert refusal.code == "workspace-error"
    assert "Permission denied" in refusal.message
    assert "ls -ld" in refusal.hint
    (theirs.folder.parent / "aside").rename(theirs.path(".scurry"))
    assert theirs.jobs() == jobs


def test_a_folder_that_may_not_be_entered_is_told(theirs: Shop) -> None:
    closed = theirs.path("closed")
    closed.mkdir(mode=0o700)
    refusal = refused(theirs, "status", "--workspace", "closed")
    assert "closed" in refusal.message
    assert "Permission denied" in refusal.message
