"""Answers that are kept for a while."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from scurry.flink import job_graph_cache

if TYPE_CHECKING:
    from pathlib import Path


def aged(path: Path, days: float) -> Path:
    then = time.time() - days * 86_400
    os.utime(path, (then, then))
    return path


def test_an_answer_is_found_until_it_is_too_old(tmp_path: Path) -> None:
    job_graph_cache.keep(tmp_path, "key", b"{}")
    assert job_graph_cache.find(tmp_path, "key", max_age_s=60) == b"{}"
    (path,) = (tmp_path / "job-graphs").iterdir()
    aged(path, 0.5)
    assert job_graph_cache.find(tmp_path, "key", max_age_s=60) is None
    assert job_graph_cache.find(tmp_path, "key", max_age_s=86_400) == b"{}"
    assert job_graph_cache.find(tmp_path, "other", max_age_s=60) is None


def test_only_its_owner_can_read_an_answer(tmp_path: Path) -> None:
    job_graph_cache.keep(tmp_path, "key", b"{}")
    (path,) = (tmp_path / "job-graphs").iterdir()
    assert path.stat().st_mode & 0o077 == 0


def test_an_answer_from_the_future_is_not_believed(tmp_path: Path) -> None:
    job_graph_cache.keep(tmp_path, "key", b"{}")
    aged(next((tmp_path / "job-graphs").iterdir()), -1)
    assert job_graph_cache.find(tmp_path, "key", max_age_s=60) is None


def test_what_is_old_is_forgotten(tmp_path: Path) -> None:
    job_graph_cache.keep(tmp_path, "yesterday", b"{}")
    aged(next((tmp_path / "job-graphs").iterdir()), 1.1)
    code = tmp_path / "job-graphs" / "delivered" / "python"
    for name, days in (("new", 6.0), ("old", 8.0)):
        (code / name / "code").mkdir(parents=True)
        aged(code / name, days)
    job_graph_cache.keep(tmp_path, "today", b"{}")
    assert [path.name for path in (tmp_path / "job-graphs").glob("*.json")] == ["today.json"]
    assert [path.name for path in code.iterdir()] == ["new"]


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "job-graphs").write_text("in the way")
    job_graph_cache.keep(tmp_path, "key", b"{}")
    assert job_graph_cache.find(tmp_path, "key", max_age_s=60) is None


def test_every_part_counts_for_a_key_and_where_it_ends() -> None:
    keys = {
        job_graph_cache.key_of(parts) for parts in (("ab", "c"), ("a", "bc"), ("abc",), ("ab", "c", ""), (b"ab", "d"))
    }
    assert len(keys) == 5
    assert job_graph_cache.key_of(("a", b"b")) == job_graph_cache.key_of((b"a", "b"))


def test_a_file_that_is_not_there_has_an_empty_digest(tmp_path: Path) -> None:
    assert job_graph_cache.digest_of(tmp_path / "missing.jar") == ""
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "b").write_bytes(b"1")
    assert job_graph_cache.digest_of(tmp_path / "a") == job_graph_cache.digest_of(tmp_path / "b") != ""
