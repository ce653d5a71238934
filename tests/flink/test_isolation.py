"""Programs that run apart: what they have, what they cannot do, and that nothing is left of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from scurry.flink.isolation import Enclosure, enclosure, plain_environment
from tests.emulator.clients import is_laid_over
from tests.flink.local_flink import until

NO_NAMESPACES = bool(subprocess.run(["unshare", "-rn", "true"], capture_output=True, check=False).returncode)
needs_namespaces = pytest.mark.skipif(NO_NAMESPACES, reason="this machine allows no namespaces to users")
PYTHON = (sys.executable, "-I", "-S", "-c")
ANSWER = (
    "import pathlib, sys; draft = pathlib.Path(sys.argv[1] + '.draft'); draft.write_text(sys.stdin.read(2));"
    " draft.rename(sys.argv[1]); "
)


@pytest.fixture(autouse=True)
def _own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))


def start(place: Enclosure, code: str, *more: str, network: bool = False) -> Path:
    """Run Python code; return the file that it should write."""
    answer = place.files / "answer"
    place.start(
        [*PYTHON, code, str(answer), *more], environment=plain_environment(os.environ), network=network, said=b"42"
    )
    return answer


def test_a_program_hears_what_is_said_and_answers_in_a_file_whatever_it_prints() -> None:
    with enclosure() as place:
        answer = start(place, f"print('noise'); {ANSWER}")
        assert place.await_file(answer, timeout_s=30) is None
        assert answer.read_text() == "42"
        until(lambda: place.output == "noise\n", "it printed", patience_s=30)


def test_it_runs_in_an_empty_folder_that_others_cannot_read() -> None:
    with enclosure() as place:
        answer = start(place, f"import os; print(os.listdir()); {ANSWER}")
        assert place.await_file(answer, timeout_s=30) is None
        until(lambda: place.output == "[]\n", "it printed", patience_s=30)
        assert place.folder.stat().st_mode & 0o077 == 0


def test_a_program_that_ends_without_an_answer_is_told_by_its_exit_code() -> None:
    with enclosure() as place:
        assert place.await_file(start(place, "raise SystemExit(7)"), timeout_s=30) == 7


def test_a_program_that_is_killed_is_told_by_its_signal() -> None:
    with enclosure() as place:
        assert place.await_file(start(place, "import ctypes; ctypes.string_at(0)"), timeout_s=30) == -signal.SIGSEGV


def test_a_program_that_takes_too_long_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    code = (
        "import pathlib, subprocess, sys, time\n"
        "slow = [sys.executable, '-c', 'import time; time.sleep(3600)', sys.argv[2]]\n"
        "subprocess.Popen(slow, start_new_session=True)\n"
        "pathlib.Path(sys.argv[2]).touch(); time.sleep(3600)"
    )
    mark = tmp_path / "started"
    with enclosure() as place:
        answer = start(place, code, str(mark))
        until(mark.exists, "it runs", patience_s=30)
        with pytest.raises(TimeoutError):
            place.await_file(answer, timeout_s=0.1)
    if not NO_NAMESPACES:
        until(lambda: not running(str(mark)), "all of it is gone", patience_s=30)
    until(lambda: not place.folder.exists(), "its folder is gone", patience_s=30)


def running(mark: str) -> list[str]:
    """The processes with a text on their command line."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if mark in command and folder.name != str(os.getpid()):
            found.append(command)
    return found


def test_a_kill_of_who_asked_leaves_no_process_and_no_file(tmp_path: Path) -> None:
    mark = tmp_path / "started"
    code = (
        "import os, pathlib, sys, tempfile\n"
        "tempfile.tempdir = sys.argv[1]\n"
        "from scurry.flink.isolation import enclosure\n"
        "with enclosure() as place:\n"
        "    (place.files / 'secret').write_text('hunter2')\n"
        "    slow = 'import pathlib, sys, time; pathlib.Path(sys.argv[1]).touch(); time.sleep(3600)'\n"
        "    place.start([sys.executable, '-c', slow, sys.argv[2]], environment={}, network=False, said=b'')\n"
        "    place.await_file(place.files / 'never', timeout_s=3600)\n"
    )
    asking = subprocess.Popen([sys.executable, "-c", code, tempfile.gettempdir(), str(mark)])
    until(mark.exists, "the program runs", patience_s=60)
    asking.kill()
    asking.wait()
    until(lambda: not running(str(mark)), "no process is left", patience_s=30)
    until(lambda: not list(Path(tempfile.gettempdir()).iterdir()), "no file is left", patience_s=30)


@needs_namespaces
def test_there_is_no_network_but_the_loopback() -> None:
    code = (
        "import pathlib, socket, sys\n"
        "with socket.create_server(('127.0.0.1', 0)) as server:\n"
        "    socket.create_connection(server.getsockname(), timeout=5).close()\n"
        "try:\n"
        "    socket.create_connection(('198.51.100.1', 80), timeout=5)\n"
        "except OSError as error:\n"
        "    draft = pathlib.Path(sys.argv[1] + '.draft')\n"
        "    draft.write_text(str(error))\n"
        "    draft.rename(sys.argv[1])\n"
    )
    with enclosure() as place:
        answer = start(place, code)
        assert place.await_file(answer, timeout_s=30) is None
        assert "unreachable" in answer.read_text()
        assert place.fence.network
        assert place.fence.processes


@needs_namespaces
def test_a_network_that_is_allowed_is_there() -> None:
    with enclosure() as place:
        answer = start(place, f"import os; print(os.readlink('/proc/self/ns/net'), flush=True); {ANSWER}", network=True)
        assert place.await_file(answer, timeout_s=30) is None
        assert place.output.strip() == os.readlink("/proc/self/ns/net")
        assert not place.fence.network
        assert place.fence.processes


@pytest.mark.skipif(not is_laid_over(), reason="this machine allows nothing to be laid over /etc")
def test_properties_are_where_the_managed_service_has_them_and_only_for_the_program() -> None:
    there = "/etc/flink/application_properties.json"
    before = os.path.exists(there)
    code = f"print(open('{there}').read(), open('/etc/passwd').read() != ''); {ANSWER}"
    with enclosure() as place:
        (place.files / "service-properties.json").write_text("[1]")
        answer = start(place, code)
        assert place.await_file(answer, timeout_s=30) is None, place.output
        until(lambda: place.output == "[1] True\n", "it printed", patience_s=30)
        folder = place.folder
    assert os.path.exists(there) == before
    until(lambda: not folder.exists(), "nothing is left", patience_s=30)


def test_where_namespaces_are_forbidden_the_program_runs_all_the_same_and_that_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A namespace of users within which no further one may be made stands for a container that forbids them.
    forbids = ["unshare", "-r", "/bin/sh", "-c", 'echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"', "sh"]
    if NO_NAMESPACES or subprocess.run([*forbids, "true"], capture_output=True, check=False).returncode:
        pytest.skip("namespaces cannot be forbidden here")
    real = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda command, **given: real([*forbids, *command], **given))
    with enclosure() as place:
        answer = start(place, ANSWER)
        assert place.await_file(answer, timeout_s=30) is None
        assert not place.fence.network
        assert not place.fence.processes
        assert place.fence.reason == "No space left on device"  # what the kernel says when there are too many


def test_a_released_program_ends_by_itself_and_its_file_gets_its_final_name(tmp_path: Path) -> None:
    code = f"{ANSWER}import time; time.sleep(0.3); pathlib.Path(sys.argv[2]).write_text('archive')"
    draft, final = tmp_path / "a.draft", tmp_path / "a"
    with enclosure() as place:
        assert place.await_file(start(place, code, str(draft)), timeout_s=30) is None
        assert not final.exists()
        place.release(keep=(draft, final))
    until(final.exists, "the file is there", patience_s=30)
    assert final.read_text() == "archive"
    until(lambda: not place.folder.exists(), "its folder is gone", patience_s=30)


def test_a_released_program_that_fails_leaves_nothing(tmp_path: Path) -> None:
    code = f"{ANSWER}pathlib.Path(sys.argv[2]).write_text('half'); raise SystemExit(1)"
    draft, final = tmp_path / "a.draft", tmp_path / "a"
    with enclosure() as place:
        assert place.await_file(start(place, code, str(draft)), timeout_s=30) is None
        place.release(keep=(draft, final))
    until(lambda: not place.folder.exists(), "its folder is gone", patience_s=30)
    assert not draft.exists()
    assert not final.exists()


def test_nothing_is_left_of_a_place_in_which_nothing_was_started() -> None:
    with enclosure() as place:
        assert place.folder.exists()
    assert not place.folder.exists()


def test_a_command_that_does_not_exist_is_told_by_the_exit_code_127() -> None:
    with enclosure() as place:
        place.start(["/no/such/java"], environment={}, network=False, said=b"")
        assert place.await_file(place.files / "answer", timeout_s=30) == 127
        assert "No such file" in place.output


def test_what_looks_like_a_secret_or_leads_elsewhere_is_not_in_the_environment() -> None:
    inherited = {
        "PATH": "/bin",
        "LANG": "C",
        "SHOP_COLOUR": "red",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_SESSION_TOKEN": "x",
        "DB_PASSWORD": "x",
        "github_token": "x",
        "FLINK_CONF_DIR": "x",
        "SCURRY_WORKSPACE": "x",
        "PYTHONPATH": "x",
        "JAVA_TOOL_OPTIONS": "x",
        "PWD": "x",
    }
    assert plain_environment(inherited) == {"PATH": "/bin", "LANG": "C", "SHOP_COLOUR": "red"}


def test_a_place_is_ready_at_once() -> None:
    started = time.monotonic()
    with enclosure() as place:
        assert place.await_file(start(place, ANSWER), timeout_s=30) is None
    assert time.monotonic() - started < 15
