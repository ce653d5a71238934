"""What the REST client does when the other side misbehaves: one error of ours for each, and no secret in any."""

from __future__ import annotations

import ssl
import time
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from urllib3.util.connection import is_connection_dropped

from scurry.flink.connection import RestSettings
from scurry.flink.rest import FlinkRest, JarRequest
from scurry.model.errors import (
    ArtifactError,
    RejectedByTarget,
    ScurryError,
    SpecInvalid,
    TargetError,
    TargetUnavailable,
    TargetUnsuitable,
)
from scurry.model.values import SecretRef
from tests.flink.rest_server import flink_error, half, nothing, reset, serving, silence, trickle, whole

if TYPE_CHECKING:
    import socket
    from pathlib import Path

    from scurry.model.values import Text

DASHBOARD = '{"refresh-interval": 3000, "flink-version": "2.3.0", "unknown": {"to": "us"}}'
OVERVIEW = '{"jobs": []}'
SECRET = "hush-hush"
TRIGGER = '{"request-id": "ab"}'


def client(url: str, **settings: Any) -> FlinkRest:
    return FlinkRest(
        RestSettings(**{"url": url, "timeout_s": 5.0, "connect_timeout_s": 2.0, **settings}),
        target="prod",
        resolve=lambda text: SECRET if isinstance(text, SecretRef) else text,
    )


def failure(rest: FlinkRest) -> ScurryError:
    with rest, pytest.raises(ScurryError) as caught:
        rest.dashboard()
    return caught.value


class TestReadsAreTriedAgain:
    @pytest.mark.parametrize("trouble", [reset, nothing, half('{"refresh'), flink_error(503, "no leader")])
    def test_a_read_whose_answer_was_lost_is_sent_again(self, trouble: object) -> None:
        with serving(trouble, trouble, whole(200, DASHBOARD)) as server, client(server.url) as rest:  # type: ignore[arg-type]
            assert rest.dashboard().flink_version == "2.3.0"
        assert len(server.asked) == 3

    @pytest.mark.parametrize("trouble", [reset, nothing, half("{"), flink_error(503, "no leader")])
    def test_after_three_times_it_is_told(self, trouble: object) -> None:
        with serving(trouble) as server:  # type: ignore[arg-type]
            assert isinstance(failure(client(server.url)), TargetUnavailable)
        assert len(server.asked) == 3

    @pytest.mark.parametrize("trouble", [reset, nothing, half("{"), flink_error(503, "no leader")])
    def test_what_changes_something_is_sent_once(self, trouble: object) -> None:
        with serving(trouble, whole(200, TRIGGER)) as server, client(server.url) as rest:  # type: ignore[arg-type]
            with pytest.raises(TargetUnavailable):
                rest.stop("0" * 32, trigger_id="1" * 32, drain=False)
            assert len(server.asked) == 1

    def test_an_answer_is_not_asked_for_again(self) -> None:
        with serving(flink_error(500, "java.lang.IllegalStateException: no")) as server:
            assert isinstance(failure(client(server.url)), RejectedByTarget)
        assert len(server.asked) == 1

    def test_a_connection_that_the_server_closed_while_idle_is_not_used(self) -> None:
        def once(connection: socket.socket) -> None:
            whole(200, DASHBOARD)(connection)

        with serving(once, whole(202, TRIGGER)) as server, client(server.url) as rest:
            rest.dashboard()
            pooled = rest._connection._pool.pool
            assert pooled
            deadline = time.monotonic() + 5
            while not is_connection_dropped(pooled.queue[-1]) and time.monotonic() < deadline:
                time.sleep(0.001)
            assert rest.stop("0" * 32, trigger_id="1" * 32, drain=False) == "ab"
        assert server.connections == 2

    def test_one_connection_serves_many_calls(self) -> None:
        with serving(whole(200, DASHBOARD)) as server, client(server.url) as rest:
            for _ in range(20):
                rest.dashboard()
        assert server.connections == 1


def test_what_is_no_number_is_none_of_a_metrics_figures() -> None:
    """Seen: `busyTimeMsPerSecond` of a source before FLIP-27, in the words that Jackson has for it."""
    told = '[{"id": "busy", "min": "NaN", "max": "-Infinity", "sum": 0.0}, {"id": "in", "min": 1, "max": 2, "sum": 3}]'
    with serving(whole(200, told)) as server, client(server.url) as rest:
        found = rest.vertex_metrics("a" * 32, "b" * 32, "busy", "in")
    assert [(each.id, each.min, each.max, each.sum) for each in found] == [("busy", None, None, 0.0), ("in", 1, 2, 3)]


class TestTime:
    def test_a_silent_server_is_given_up_in_time(self) -> None:
        with serving() as server:
            server.answers.append(silence(server))
            begun = time.monotonic()
            error = failure(client(server.url, timeout_s=0.3))
        assert isinstance(error, TargetUnavailable)
        assert "did not answer in time" in error.message
        assert error.hint
        assert "timeout" in error.hint
        assert time.monotonic() - begun < 15

    def test_a_server_that_sends_a_byte_now_and_then_is_given_up_in_time(self) -> None:
        with serving() as server:
            server.answers.append(trickle(server))
            begun = time.monotonic()
            error = failure(client(server.url, timeout_s=0.4))
        assert isinstance(error, TargetUnavailable)
        assert time.monotonic() - begun < 15

    def test_nobody_there_is_told_at_once(self) -> None:
        with serving() as server:
            url = server.url
        begun = time.monotonic()
        error = failure(client(url, timeout_s=20.0, connect_timeout_s=20.0))
        assert isinstance(error, TargetUnavailable)
        assert error.message == f"target 'prod' ({url}) refuses connections"
        assert error.target == "prod"
        assert time.monotonic() - begun < 15

    def test_an_unknown_host_is_told(self) -> None:
        error = failure(client("http://no-such-host.invalid:8081"))
        assert isinstance(error, TargetUnavailable)
        assert "host name" in error.message

    def test_the_server_says_when_to_come_again(self) -> None:
        answer = whole(503, '{"errors": ["ongoing leader election"]}', headers="Retry-After: 7\r\n")
        with serving(answer) as server:
            error = failure(client(server.url))
        assert isinstance(error, TargetUnavailable)
        assert error.retry_after_s == 7.0
        assert "leader election" in error.message


class TestSomethingElseAnswers:
    @pytest.mark.parametrize(
        ("answer", "seen"),
        [
            (whole(200, "<!DOCTYPE html><html>welcome</html>", content_type="text/html"), "an HTML page"),
            (whole(404, "<html>not here</html>", content_type="text/html"), "an HTML page"),
            (whole(500, "<html>oops</html>", content_type="text/html"), "an HTML page"),
            (whole(200, '{"status": "green"}'), "other JSON"),
            (whole(200, "[1, 2]"), "other JSON"),
            (whole(200, "OK", content_type="text/plain"), "something else"),
            (whole(200, "\udcff".encode("utf-8", "surrogateescape").decode("latin-1")), "something else"),
            (whole(200, ""), "something else"),
        ],
    )
    def test_what_is_no_flink_is_told(self, answer: object, seen: str) -> None:
        with serving(answer) as server:  # type: ignore[arg-type]
            error = failure(client(server.url))
        assert isinstance(error, TargetUnsuitable)
        assert "is not Flink's REST API" in error.message
        assert seen in error.message
        assert error.hint
        assert "`url`" in error.hint

    @pytest.mark.parametrize("status", [429, 502, 503, 504])
    def test_a_gateway_that_finds_nobody_behind_it_is_a_passing_trouble(self, status: int) -> None:
        with serving(whole(status, "<html>Bad Gateway</html>", content_type="text/html")) as server:
            error = failure(client(server.url))
        assert isinstance(error, TargetUnavailable)
        assert str(status) in error.message

    def test_a_page_to_log_in_is_told(self) -> None:
        answer = whole(302, "", headers="Location: https://sso.example.com/login?next=flink\r\n")
        with serving(answer) as server:
            error = failure(client(server.url))
        assert isinstance(error, TargetUnsuitable)
        assert "https://sso.example.com/login'" in error.message
        assert error.hint
        assert "token" in error.hint

    def test_a_flink_that_is_too_old_or_too_closed_is_told(self) -> None:
        answer = flink_error(404, "Unable to load requested file /jars.")
        with serving(answer) as server, client(server.url) as rest, pytest.raises(TargetUnsuitable) as caught:
            rest.jars()
        assert "GET /jars" in caught.value.message

    def test_a_file_that_a_proxy_finds_too_large_is_told(self, tmp_path: Path) -> None:
        jar = tmp_path / "a.jar"
        jar.write_bytes(b"x" * 1000)
        answer = whole(413, "<html>too large</html>", content_type="text/html")
        with serving(answer) as server, client(server.url) as rest, pytest.raises(RejectedByTarget) as caught:
            rest.upload(jar, name="a.jar")
        assert caught.value.hint
        assert "client_max_body_size" in caught.value.hint


class TestWhoWeAre:
    def test_401_says_what_to_set(self) -> None:
        with serving(whole(401, "")) as server:
            error = failure(client(server.url))
        assert isinstance(error, RejectedByTarget)
        assert error.hint
        for key in ("username", "password", "token", "cert"):
            assert key in error.hint

    def test_403_says_what_was_refused(self) -> None:
        with serving(whole(403, "<html>no</html>")) as server:
            error = failure(client(server.url))
        assert isinstance(error, RejectedByTarget)
        assert "GET /config" in error.message

    @pytest.mark.parametrize(
        ("settings", "header", "value"),
        [
            (
                {"username": "me", "password": SecretRef(source="env", name="P")},
                "authorization",
                "Basic bWU6aHVzaC1odXNo",
            ),
            ({"username": "me", "password": "plain"}, "authorization", "Basic bWU6cGxhaW4="),
            ({"token": SecretRef(source="file", name="/t")}, "authorization", f"Bearer {SECRET}"),
            ({"headers": {"X-Team": "data", "X-Key": SecretRef(source="env", name="K")}}, "x-key", SECRET),
        ],
    )
    def test_credentials_go_with_every_call(self, settings: dict[str, Text], header: str, value: str) -> None:
        with serving(whole(200, DASHBOARD), whole(202, TRIGGER)) as server, client(server.url, **settings) as rest:
            rest.dashboard()
            rest.stop("0" * 32, trigger_id="1" * 32, drain=False)
        assert [asked.headers[header] for asked in server.asked] == [value, value]

    def test_a_token_that_changes_is_read_anew(self) -> None:
        tokens = iter(["first\n", "second\n"])
        settings = RestSettings(url="", token=SecretRef(source="file", name="/var/run/token"))
        with serving(whole(200, DASHBOARD)) as server:
            settings = RestSettings(url=server.url, token=settings.token)
            with FlinkRest(settings, resolve=lambda _: next(tokens)) as rest:
                rest.dashboard()
                rest.dashboard()
        assert [asked.headers["authorization"] for asked in server.asked] == ["Bearer first", "Bearer second"]

    @pytest.mark.parametrize("value", [f"{SECRET}\r\nx-evil: 1", f"{SECRET}ä\n€"])
    @pytest.mark.parametrize("key", ["token", "headers"])
    def test_a_value_that_no_header_can_hold_is_told_without_it(self, key: str, value: str) -> None:
        settings: dict[str, Any] = {key: {"X-Key": value} if key == "headers" else value}
        with serving(whole(200, DASHBOARD)) as server:
            error = failure(client(server.url, **settings))
        assert isinstance(error, TargetUnsuitable)
        assert SECRET not in f"{error} {error.hint} {error.__cause__!r} {error.__context__!r}"
        assert server.asked == []

    def test_a_password_may_hold_any_character(self) -> None:
        with serving(whole(200, DASHBOARD)) as server, client(server.url, username="me", password="€:ä") as rest:
            rest.dashboard()
        assert server.asked[0].headers["authorization"] == "Basic bWU64oKsOsOk"

    def test_no_secret_is_in_what_is_shown(self) -> None:
        settings = RestSettings(
            url="http://h", username="me", password=SECRET, token=SECRET, headers={"x": SECRET, "y": SECRET}
        )
        assert SECRET not in repr(settings)
        for answer in (flink_error(400, f"java.lang.Error: args were --key {SECRET}"), reset, whole(401, SECRET)):
            request = JarRequest(program_args_list=("--key", SECRET))
            with (
                serving(answer) as server,
                client(server.url, token=SECRET) as rest,
                pytest.raises(TargetError) as caught,
            ):
                rest.run("a.jar", request, conceal=(SECRET,))
            shown = (
                f"{caught.value} {caught.value.hint} {getattr(caught.value, 'cause', '')} {caught.value.__cause__!r}"
            )
            assert SECRET not in shown

    @pytest.mark.parametrize(
        "url",
        ["flink:8081", "ftp://flink", "http://", "http://me:secret@flink:8081", "http://flink/?a=b", "localhost"],
    )
    def test_an_address_that_is_none_is_refused(self, url: str) -> None:
        with pytest.raises(SpecInvalid) as caught:
            client(url)
        assert "secret" not in str(caught.value)


class TestWhatIsSent:
    def test_the_path_prefix_of_a_proxy_is_kept(self) -> None:
        with serving(whole(200, DASHBOARD)) as server, client(f"{server.url}/flink/orders/") as rest:
            rest.dashboard()
            assert rest.url == f"{server.url}/flink/orders"
        assert server.asked[0].path == "/flink/orders/config"

    def test_a_run_says_only_what_is_wanted(self) -> None:
        with serving(whole(200, '{"jobid": "ab"}')) as server, client(server.url) as rest:
            request = JarRequest(entry_class="A", program_args_list=("x y", "ä"), parallelism=2, job_id="1" * 32)
            assert rest.run("0_a b.jar", request) == "ab"
        asked = server.asked[0]
        assert asked.path == "/jars/0_a%20b.jar/run"
        assert asked.headers["content-type"] == "application/json"
        expected = '{"entryClass":"A","programArgsList":["x y","ä"],"parallelism":2,"jobId":"' + "1" * 32 + '"}'
        assert asked.body.decode() == expected

    def test_a_jar_that_is_gone_is_told(self, tmp_path: Path) -> None:
        with client("http://127.0.0.1:1") as rest, pytest.raises(ArtifactError, match="cannot be read"):
            rest.upload(tmp_path / "gone.jar", name="gone.jar")

    def test_a_large_jar_is_streamed_with_its_progress(self, tmp_path: Path) -> None:
        jar = tmp_path / "big.jar"
        jar.write_bytes(bytes(range(256)) * 20_000)
        steps: list[float] = []

        class Watching:
            def advance(self, amount: float) -> None:
                steps.append(amount)

            def describe(self, text: str) -> None:
                raise AssertionError(text)

        answer = whole(200, '{"filename": "/tmp/up/42_big.jar", "status": "success"}')
        with serving(answer) as server, client(server.url) as rest:
            assert rest.upload(jar, name="big.jar", activity=Watching()) == "42_big.jar"
        body = server.asked[0].body
        assert body.count(b'filename="big.jar"') == 1
        assert jar.read_bytes() in body
        assert "expect" not in server.asked[0].headers
        assert sum(steps) == jar.stat().st_size
        assert len(steps) > 10


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


class TestTls:
    def _context(
        self, authority: trustme.CA, *, name: str = "127.0.0.1", client_certificate: bool = False
    ) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(name).configure_cert(context)
        if client_certificate:
            authority.configure_trust(context)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def _ca(self, authority: trustme.CA, folder: Path) -> Path:
        path = folder / "ca.pem"
        authority.cert_pem.write_to_path(path)
        return path

    def test_an_authority_of_ones_own_is_trusted_when_named(self, authority: trustme.CA, tmp_path: Path) -> None:
        context, ca = self._context(authority), self._ca(authority, tmp_path)
        with serving(whole(200, DASHBOARD), context=context) as server, client(server.url, ca=ca) as rest:
            assert rest.dashboard().flink_version == "2.3.0"

    def test_verification_can_be_switched_off(self, authority: trustme.CA) -> None:
        context = self._context(authority)
        with serving(whole(200, DASHBOARD), context=context) as server, client(server.url, verify=False) as rest:
            assert rest.dashboard().flink_version == "2.3.0"

    def test_an_unknown_authority_says_what_to_set(self, authority: trustme.CA) -> None:
        with serving(whole(200, DASHBOARD), context=self._context(authority)) as server:
            error = failure(client(server.url))
        assert isinstance(error, TargetUnsuitable)
        assert error.hint
        assert "`ca`" in error.hint
        assert "verify: false" in error.hint
        assert server.asked == []

    def test_a_certificate_for_another_name_is_told(self, authority: trustme.CA, tmp_path: Path) -> None:
        with serving(whole(200, DASHBOARD), context=self._context(authority, name="flink.example.com")) as server:
            error = failure(client(server.url, ca=self._ca(authority, tmp_path)))
        assert isinstance(error, TargetUnsuitable)
        assert "another name" in error.message

    def test_a_client_certificate_is_shown(self, authority: trustme.CA, tmp_path: Path) -> None:
        mine = authority.issue_cert("me@example.com")
        mine.private_key_pem.write_to_path(tmp_path / "me.key")
        mine.cert_chain_pems[0].write_to_path(tmp_path / "me.pem")
        context = self._context(authority, client_certificate=True)
        with serving(whole(200, DASHBOARD), context=context) as server:
            settings = {"ca": self._ca(authority, tmp_path), "cert": tmp_path / "me.pem", "key": tmp_path / "me.key"}
            with client(server.url, **settings) as rest:
                assert rest.dashboard().flink_version == "2.3.0"

    def test_a_client_certificate_that_is_missing_says_what_to_set(self, authority: trustme.CA, tmp_path: Path) -> None:
        context = self._context(authority, client_certificate=True)
        with serving(whole(200, DASHBOARD), context=context) as server:
            error = failure(client(server.url, ca=self._ca(authority, tmp_path)))
        assert isinstance(error, TargetUnsuitable | TargetUnavailable)  # by whether the alert or the end comes first
        assert error.hint
        assert "`cert`" in error.hint

    def test_https_to_a_plain_server_is_told(self) -> None:
        with serving(whole(200, DASHBOARD)) as server:
            error = failure(client(server.url.replace("http", "https")))
        assert isinstance(error, TargetUnsuitable)
        assert error.hint
        assert "http://" in error.hint

    def test_http_to_a_tls_server_is_told(self, authority: trustme.CA) -> None:
        with serving(whole(200, DASHBOARD), context=self._context(authority)) as server:
            error = failure(client(server.url.replace("https", "http")))
        assert isinstance(error, TargetUnavailable)

    @pytest.mark.parametrize("key", ["ca", "cert"])
    def test_files_that_cannot_be_used_are_told_before_any_call(self, key: str, tmp_path: Path) -> None:
        (tmp_path / "no.pem").write_text("nonsense")
        for path in (tmp_path / "missing.pem", tmp_path / "no.pem"):
            with pytest.raises(TargetUnsuitable) as caught:
                client("https://127.0.0.1:1", **{key: path})
            assert "`ca`, `cert` or `key`" in caught.value.message
