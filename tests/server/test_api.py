"""The HTTP API of a server that runs: what it answers, whom it lets in, and how a change is told."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import urllib3
from openapi_spec_validator import validate

from scurry.model.desired import Desired
from scurry.server.http.openapi import document
from scurry.server.http.routes import ROUTES
from tests.server.site import Site, until

TOKEN = "open sesame"


class Client:
    """Asks the API as any program would."""

    def __init__(self, url: str, token: str | None = None) -> None:
        self.url = url
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._pool = urllib3.PoolManager(retries=False, timeout=30)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> urllib3.BaseHTTPResponse:
        given = {**self.headers, **headers}
        if body is not None:
            return self._pool.request(method, self.url + path, json=body, headers=given)
        return self._pool.request(method, self.url + path, headers=given)

    def get(self, path: str) -> Any:
        answer = self.ask("GET", path)
        assert answer.status == 200, answer.data
        return json.loads(answer.data)

    def change(self, application: str, verb: str, **body: Any) -> list[dict[str, Any]]:
        """Have something changed. Returns the lines of its progress."""
        answer = self.ask("POST", f"/api/v1/applications/{application}/{verb}", body)
        assert answer.status == 200, answer.data
        assert answer.headers["content-type"] == "application/x-ndjson"
        return [json.loads(line) for line in answer.data.splitlines()]

    def plan(self, application: str, verb: str, **body: Any) -> Any:
        answer = self.ask("POST", f"/api/v1/applications/{application}/{verb}?dry_run=true", body)
        assert answer.status == 200, answer.data
        return json.loads(answer.data)

    def refused(self, method: str, path: str, body: Any = None) -> tuple[int, str]:
        """Return status and code of an error."""
        answer = self.ask(method, path, body)
        told = json.loads(answer.data)
        assert told["schema"] == "scurry/error/1"
        return answer.status, told["error"]["code"]

    def close(self) -> None:
        self._pool.clear()


@pytest.fixture
def client(site: Site) -> Iterator[Client]:
    site.apply()
    with site.server() as server:
        client = Client(server.address())
        yield client
        client.close()


def test_the_openapi_document_is_valid_and_names_every_route(client: Client) -> None:
    served = client.get("/api/v1/openapi.json")
    validate(served)
    assert served == json.loads(json.dumps(document()))
    told = {(method.upper(), path) for path, methods in served["paths"].items() for method in methods}
    plain = {("GET", path) for path in ("/healthz", "/readyz", "/metrics", "/api/v1/openapi.json")}
    assert told == {(route.method, route.path) for route in ROUTES} | plain


def test_every_route_that_only_looks_answers(client: Client) -> None:
    for route in ROUTES:
        if route.method != "GET":
            continue
        path = route.path.format(application="shop", digest="sha256:" + "0" * 64, number=1)
        query = "&".join(f"{one.name}=1" for one in route.query if one.required)
        if route.name == "logs":
            assert client.refused("GET", path) == (409, "plan-error")  # this target gives none
            continue
        answer = client.ask("GET", f"{path}?{query}")
        assert answer.status == 200, (path, answer.data)
        msgspec.json.decode(answer.data, type=route.gives)


def test_health_and_readiness_are_told(client: Client, site: Site) -> None:
    assert client.ask("GET", "/healthz").status == 200
    site.until_ready(client.url)


def test_status_and_history_are_as_the_command_line_knows_them(client: Client, site: Site) -> None:
    (told,) = client.get("/api/v1/applications")["applications"]
    assert told["name"] == "shop"
    assert told["phase"] == "running"
    assert client.get("/api/v1/applications/shop")["revision"] == 1
    kinds = [
        operation["operation"]["type"] for operation in client.get("/api/v1/applications/shop/history")["operations"]
    ]
    assert kinds == ["take-snapshot", "deploy"]


def test_a_change_tells_its_progress_and_ends_with_its_result(client: Client, site: Site) -> None:
    lines = client.change("shop", "stop")
    assert {"begin", "end", "result"} <= {line["event"] for line in lines}
    assert lines[-1]["applied"]["outcome"] == "suspended"
    assert site.live() == []
    lines = client.change("shop", "start")
    assert lines[-1]["applied"]["outcome"] == "converged"
    assert site.live()[0].restored_from == lines[-1]["applied"]["snapshot"]["location"]


def test_a_plan_changes_nothing_and_is_what_is_done_then(client: Client, site: Site) -> None:
    before = site.history().position
    planned = client.plan("shop", "scale", parallelism=3)
    assert site.history().position == before
    assert planned["plan"]["changes"][0]["operation"]["desired"]["parallelism"] == 3
    lines = client.change("shop", "scale", parallelism=3, agreed=planned["plan_id"])
    assert lines[-1]["applied"]["outcome"] == "converged"
    assert site.live()[0].parallelism == 3


def test_what_was_not_agreed_to_is_not_done(client: Client, site: Site) -> None:
    planned = client.plan("shop", "scale", parallelism=3)
    site.open().take_snapshot("shop", confirm=lambda plan: True)
    answer = client.ask("POST", "/api/v1/applications/shop/scale", {"parallelism": 3, "agreed": planned["plan_id"]})
    told = [json.loads(line) for line in answer.data.splitlines()][-1]
    assert told["error"]["code"] == "plan-outdated"
    assert site.live()[0].parallelism == 1


def test_an_artifact_is_uploaded_by_its_digest_and_then_applied(client: Client, site: Site) -> None:
    jar = (site.folder / "shop.jar").read_bytes() + b" "
    digest = f"sha256:{hashlib.sha256(jar).hexdigest()}"
    current = site.history().current
    assert current
    artifact = msgspec.structs.replace(current.desired.artifact, digest=digest, size_bytes=len(jar))
    wish: Desired = msgspec.structs.replace(current.desired, artifact=artifact)
    body = {"desired": json.loads(msgspec.json.encode(wish))}
    assert client.refused("POST", "/api/v1/applications/shop/apply", body) == (422, "artifact-error")
    assert client.get(f"/api/v1/artifacts/{digest}")["present"] is False
    pool = urllib3.PoolManager()
    wrong = pool.request("PUT", f"{client.url}/api/v1/artifacts/sha256:{'0' * 64}", body=jar)
    assert wrong.status == 422
    put = pool.request("PUT", f"{client.url}/api/v1/artifacts/{digest}?kind=jar&file_name=shop.jar", body=jar)
    assert put.status == 200, put.data
    pool.clear()
    lines = client.change("shop", "apply", **body)
    assert lines[-1]["applied"]["revision"] == 2


def test_what_is_frozen_is_not_changed_until_it_is_thawed(client: Client, site: Site) -> None:
    client.ask("POST", "/api/v1/freezes", {"scope": "application:shop", "reason": "the fair", "by": "anna"})
    assert client.get("/api/v1/freezes")["freezes"][0]["reason"] == "the fair"
    status, code = client.refused("POST", "/api/v1/applications/shop/stop", {})
    assert (status, code) == (409, "frozen")
    assert client.ask("DELETE", "/api/v1/freezes?scope=application:shop").status == 200
    assert client.change("shop", "stop")[-1]["applied"]["outcome"] == "suspended"
    assert client.refused("DELETE", "/api/v1/freezes?scope=application:shop") == (404, "unknown")
    for scope, expected in (
        ("nonsense:shop", (400, "bad-request")),
        ("application:slip", (409, "plan-error")),
        ("target:slip", (422, "workspace-error")),
    ):
        assert client.refused("POST", "/api/v1/freezes", {"scope": scope, "reason": "why"}) == expected


WRONG: tuple[tuple[str, str, Any, tuple[int, str]], ...] = (
    ("GET", "/api/v1/applications/nobody", None, (404, "unknown")),
    ("POST", "/api/v1/applications/nobody/stop", {}, (404, "unknown")),
    ("GET", "/api/v1/nothing", None, (404, "unknown")),
    ("DELETE", "/api/v1/applications", None, (405, "bad-request")),
    ("GET", "/api/v1/applications/shop/diff", None, (400, "bad-request")),
    ("POST", "/api/v1/applications/shop/scale", {}, (400, "bad-request")),
    ("POST", "/api/v1/applications/shop/scale", {"parallelism": "x"}, (400, "bad-request")),
    ("POST", "/api/v1/applications/shop/stop", {"snapsot": False}, (400, "bad-request")),
    ("POST", "/api/v1/applications/shop/start", {"source": "nothing-known"}, (409, "refused")),
    ("POST", "/api/v1/applications/shop/restart", {"source": "nothing-known"}, (404, "snapshot-not-found")),
    ("POST", "/api/v1/applications/shop/rollback", {"to": 9}, (409, "plan-error")),
    ("GET", "/api/v1/artifacts/md5:1", None, (400, "bad-request")),
    ("GET", "/api/v1/applications/nobody/logs", None, (404, "unknown")),
    ("GET", "/api/v1/applications/shop/logs?lines=20001", None, (400, "bad-request")),
    ("GET", "/api/v1/applications/shop/logs?lines=-1", None, (400, "bad-request")),
    ("POST", "/api/v1/applications/shop/adopt", {"job": "latest"}, (400, "bad-request")),
    ("POST", "/api/v1/prune?dry_run=true", {"applications": ["nobody"]}, (409, "plan-error")),
    ("POST", "/api/v1/prune", {"aplications": []}, (400, "bad-request")),
)
"""method, path, body → status and code"""


def test_what_cannot_be_is_told_with_its_status(client: Client) -> None:
    for method, path, body, expected in WRONG:
        assert client.refused(method, path, body) == expected, (method, path, body)


def test_a_body_that_is_not_json_by_its_type_is_not_read(client: Client) -> None:
    pool = urllib3.PoolManager()
    answer = pool.request("POST", f"{client.url}/api/v1/applications/shop/stop", body=b"{}")
    pool.clear()
    assert answer.status == 400


def test_an_application_that_somebody_else_changes_is_locked(client: Client, site: Site) -> None:
    from scurry.engine.lease import LEASE

    lease = site.open().journal.acquire("shop", duration=LEASE)
    answer = client.ask("POST", "/api/v1/applications/shop/stop", {})
    assert answer.status == 423
    assert json.loads(answer.data)["error"]["owner"] == lease.owner
    site.open().journal.release(lease)


def test_metrics_tell_phases_ages_lag_and_durations(client: Client, site: Site) -> None:
    site.cancel()
    site.servers[0].await_event("repaired")

    def told() -> str:
        return client.ask("GET", "/metrics").data.decode()

    phase = 'scurry_application_phase{application="shop",phase="running",target="mem"} 1.0'
    until(lambda: phase in told(), "the phase is told")
    text = told()
    assert re.search(r'scurry_application_last_snapshot_age_seconds\{application="shop",target="mem"\} \d', text)
    assert re.search(r'scurry_reconcile_lag_seconds\{application="shop",target="mem"\} ', text)
    assert 'scurry_operation_duration_seconds_count{cause="drift",outcome="converged"} 1.0' in text
    assert 'scurry_events_total{kind="repaired"} 1.0' in text
    assert 'scurry_target_up{target="mem"} 1.0' in text


def test_with_a_token_nobody_without_it_is_let_in(site: Site) -> None:
    site.apply()
    with site.server(environment={"SCURRY_TOKEN": TOKEN}) as server:
        url = server.address()
        stranger, wrong, friend = Client(url), Client(url, "open sesam"), Client(url, TOKEN)
        for path in ("/api/v1/applications", "/metrics", "/api/v1/openapi.json"):
            assert stranger.refused("GET", path) == wrong.refused("GET", path) == (401, "unauthorized")
            assert friend.ask("GET", path).status == 200
        assert stranger.ask("GET", "/healthz").status == 200
        assert TOKEN not in server.told()
        for client in (stranger, wrong, friend):
            client.close()


def test_without_a_token_no_web_page_is_let_in(client: Client) -> None:
    assert client.ask("GET", "/api/v1/applications", Host="evil.example:80").status == 400
    assert client.ask("GET", "/api/v1/applications", Origin="http://evil.example").status == 400


def test_the_api_is_not_opened_to_others_without_a_token(site: Site) -> None:
    server = site.start_server("--listen", "0.0.0.0:0")
    assert server.process.wait(30) == 1
    server.end()
    assert "without a token" in server.told()


def test_a_port_that_is_taken_is_told(client: Client, site: Site) -> None:
    server = site.start_server("--listen", client.url.removeprefix("http://"))
    assert server.process.wait(30) == 1
    server.end()
    assert "cannot listen" in server.told()
