"""Which ports Flink's processes get."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from scurry.flink import ports
from scurry.model.errors import TargetUnavailable


def ephemeral(tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the system take ports from a range of its own."""
    path = tmp_path / "range"
    path.write_text(text)
    monkeypatch.setattr(ports, "_EPHEMERAL", path)


def test_ports_are_different_and_outside_the_range_that_connections_take_theirs_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ephemeral(tmp_path, "32768\t60999\n", monkeypatch)
    found = ports.free_ports(5)
    assert len(set(found)) == 5
    assert all(10_000 <= port < 32_768 for port in found)


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [("10100\t60000\n", 60_001, 65_535), ("1024\t65535\n", 10_000, 65_535), ("nonsense", 10_000, 49_151)],
    ids=["low range", "everything", "unreadable"],
)
def test_whatever_range_the_system_takes_there_are_ports(
    text: str, low: int, high: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ephemeral(tmp_path, text, monkeypatch)
    assert all(low <= port <= high for port in ports.free_ports(3))


def test_a_port_that_somebody_listens_on_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        own = taken.getsockname()[1]
        monkeypatch.setattr(ports, "_own_range", lambda: range(own, own + 1))
        with pytest.raises(TargetUnavailable, match="no 1 free ports"):
            ports.free_ports(1)
