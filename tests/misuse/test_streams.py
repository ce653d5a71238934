"""Standard streams that are closed, go away or cannot show everything; a folder that is gone under one's feet."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.misuse.shop import SCURRY

if TYPE_CHECKING:
    from tests.misuse.shop import Shop


def shell(shop: Shop, line: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line}"],
        cwd=shop.folder,
        env={**os.environ, "scurry": str(SCURRY), **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_closed_standard_input_is_nobody_to_ask(shop: Shop) -> None:
    shop.change("parallelism: 2", "parallelism: 3")
    before = shop.jobs()
    result = shell(shop, '"$scurry" apply orders.yaml <&-')
    assert result.returncode == 1
    assert "no terminal to ask on; nothing was changed" in result.stderr
    assert "--yes" in result.stderr
    assert shop.jobs() == before


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_stop_no_change(shop: Shop, closed: str) -> None:
    shop.change("parallelism: 2", "parallelism: 3")
    result = shell(shop, f'"$scurry" apply orders.yaml --yes {closed}')
    assert result.returncode == 0, result.stderr
    assert len(shop.running()) == 1
    shop.done("journal", "check")


def test_a_reader_that_has_seen_enough_stops_no_change(shop: Shop) -> None:
    """`scurry apply … | head -1`: the rest of the output goes nowhere, the change is made to its end."""
    shop.change("parallelism: 2", "parallelism: 3")
    shell(shop, '"$scurry" apply orders.yaml --yes 2>&1 | head -c 1')
    (told,) = shop.done("status", "--json").document["applications"]
    assert (told["phase"], told["job"]["parallelism"], told["interrupted"]) == ("running", 3, None)


def test_a_terminal_without_unicode_breaks_nothing(shop: Shop) -> None:
    shop.change("parallelism: 2", "parallelism: 3")
    result = shell(shop, '"$scurry" apply orders.yaml --yes', PYTHONIOENCODING="ascii", LC_ALL="C")
    assert result.returncode == 0, result.stderr
    assert result.stdout.isascii()


def test_a_folder_that_is_gone_is_told(shop: Shop) -> None:
    gone = shop.path("gone")
    gone.mkdir()
    result = shell(shop, 'cd gone && rmdir "$PWD" && "$scurry" status')
    assert result.returncode == 1
    assert "error: " in result.stderr
    assert "bug" not in result.stderr
    assert "Traceback" not in result.stderr


def test_a_workspace_that_was_moved_goes_on_with_its_journal(shop: Shop) -> None:
    moved = shop.folder.parent / "moved"
    shutil.move(shop.folder, moved)
    shop.folder = moved
    (applied,) = shop.done("apply", "orders.yaml", "--yes", "--json").document["applications"]
    assert applied["outcome"] == "unchanged"
