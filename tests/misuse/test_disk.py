"""A disk that is full: nothing is begun that could not be journalled to its end; after making room it goes on."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import zipfile
from typing import TYPE_CHECKING

import pytest

from tests.misuse.shop import SCURRY, Finished, check_refusal, finished

if TYPE_CHECKING:
    from tests.misuse.shop import Shop

MOUNT = """
mount -t tmpfs -o size=$SIZE none .scurry && cp -r ../before/. .scurry || exit 77
head -c $FILL /dev/zero > .scurry/filling
"$@"
code=$?
rm .scurry/filling
cp -r .scurry/. ../after
exit $code
"""
"""runs a command with `.scurry` on a small disk of its own that nobody else sees, and brings its content back"""


def on_small_disk(shop: Shop, *arguments: str, size: str, fill: str) -> Finished:
    """Run a command with little room for the workspace's files. Skips where file systems cannot be mounted."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("mounting a small disk needs root and unshare")
    before, after = shop.folder.parent / "before", shop.folder.parent / "after"
    shutil.rmtree(before, ignore_errors=True)
    shutil.copytree(shop.path(".scurry"), before)
    after.mkdir(exist_ok=True)
    result = finished(
        subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", MOUNT, "sh", SCURRY, *arguments],
            cwd=shop.folder,
            env={**os.environ, "SIZE": size, "FILL": fill},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    )
    if result.code == 77 or "unshare" in result.err:
        pytest.skip(f"no file system can be mounted here: {result.err.strip()}")
    shutil.rmtree(shop.path(".scurry"))
    after.rename(shop.path(".scurry"))
    return result


def test_no_room_for_the_journal_is_told_before_anything_is_begun(shop: Shop) -> None:
    shop.change("parallelism: 2", "parallelism: 3")
    before = shop.jobs()
    people = on_small_disk(shop, "apply", "orders.yaml", "--yes", size="3m", fill="1m")
    programs = on_small_disk(shop, "apply", "orders.yaml", "--yes", "--json", size="3m", fill="1m")
    assert (people.code, programs.code) == (1, 1)
    refusal = check_refusal(people, programs)
    assert refusal.code == "workspace-error"
    assert "kB are free" in refusal.message
    assert "Nothing was changed" in refusal.message
    assert "  df -h " in refusal.hint
    assert shop.jobs() == before
    shop.done("journal", "check")
    shop.done("apply", "orders.yaml", "--yes")


def test_looking_needs_no_room(shop: Shop) -> None:
    result = on_small_disk(shop, "status", size="400k", fill="1m")
    assert result.code == 0, result.err
    assert "running" in result.out


def test_no_room_for_an_artifact_is_told_and_leaves_no_half_of_it(shop: Shop) -> None:
    before = shop.jobs()
    with zipfile.ZipFile(shop.path("orders.jar"), "a") as jar:
        jar.writestr("big", os.urandom(3_000_000))
    result = on_small_disk(shop, "apply", "orders.yaml", "--yes", size="8m", fill="6m")
    assert result.code == 1
    assert "no room left" in result.err
    assert "  df -h " in result.err
    assert "Traceback" not in result.err
    assert shop.jobs() == before
    assert sum(path.stat().st_size for path in shop.path(".scurry/artifacts").rglob("*") if path.is_file()) < 1_000_000


def test_files_that_may_not_grow_are_told_and_cost_nothing(shop: Shop) -> None:
    """A limit that no look at the disk foresees (a quota, `ulimit -f`) hits the journal in the middle of an upgrade."""
    shop.change("parallelism: 2", "parallelism: 3")
    limit = shop.path(".scurry/journal.db").stat().st_size + 20_000

    def bound() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    hit = shop.run("apply", "orders.yaml", "--yes", preexec_fn=bound)
    assert hit.code == 1
    assert "error: the journal" in hit.err
    assert "Traceback" not in hit.err
    shop.done("apply", "orders.yaml", "--yes")
    assert len(shop.running()) == 1
    (told,) = shop.done("status", "--json").document["applications"]
    assert (told["phase"], told["job"]["parallelism"]) == ("running", 3)
    before, after = list(shop.jobs())[:1], shop.running()
    assert before != after
