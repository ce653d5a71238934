"""Prices: what AWS's price list says is remembered, and what it does not say leaves everything as it was."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from scurry import prices
from scurry.engine.sizing import PRICES
from scurry.model.errors import TargetError, TargetUnavailable
from scurry.model.journal import History
from scurry.model.observed import JobState
from scurry.model.project import ManagedTarget, MemoryTarget
from tests.engine.test_planner import BASE, changed, history, job, observed, plan


def product(usage: str, price: str, *, region: str = "eu-west-1", currency: str = "USD") -> str:
    """A product as the service `pricing` has it: JSON within JSON."""
    told = {
        "product": {"attributes": {"usagetype": usage, "regionCode": region, "servicecode": "AmazonKinesisAnalytics"}},
        "terms": {"OnDemand": {"T": {"priceDimensions": {"D": {"unit": "h", "pricePerUnit": {currency: price}}}}}},
        "publicationDate": "2026-11-02T18:01:33Z",
    }
    return json.dumps(told)


class PriceList(ThreadingHTTPServer):
    """The end-point of `pricing`: its answers by page."""

    pages: list[list[str]]
    refuses = False
    asked: list[dict[str, Any]]


class _Answers(BaseHTTPRequestHandler):
    server: PriceList

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append(asked)
        assert self.headers["x-amz-target"] == "AWSPriceListService.GetProducts"
        page = int(asked.get("NextToken", "0"))
        answer: dict[str, Any] = {"FormatVersion": "aws_v1", "PriceList": self.server.pages[page]}
        if page + 1 < len(self.server.pages):
            answer["NextToken"] = str(page + 1)
        if self.server.refuses:
            answer = {"__type": "AccessDeniedException", "Message": "not authorized to perform: pricing:GetProducts"}
        body = json.dumps(answer).encode()
        self.send_response(400 if self.server.refuses else 200)
        self.send_header("content-type", "application/x-amz-json-1.1")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Be quiet."""


@pytest.fixture
def price_list(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[PriceList]:
    server = PriceList(("127.0.0.1", 0), _Answers)
    server.asked = []
    monkeypatch.setenv("AWS_ENDPOINT_URL_PRICING", f"http://127.0.0.1:{server.server_port}")
    for name, text in {"ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "b", "EC2_METADATA_DISABLED": "true"}.items():
        monkeypatch.setenv(f"AWS_{name}", text)
    monkeypatch.setenv("SCURRY_CACHE", str(tmp_path / "cache"))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_what_the_list_says_counts_from_then_on(price_list: PriceList) -> None:
    price_list.pages = [
        [product("EU-KPU-Hour-Java", "0.1200000000"), product("EU-KPU-Hour-Java-Interactive", "0.5000000000")],
        [product("EU-RunningApplicationStorage", "0.1100000000"), product("EU-KPU-Hour", "0.9900000000")],
        [product("CNN1-KPU-Hour-Java", "0.8000000000", region="cn-north-1", currency="CNY")],
    ]
    assert prices.price_of("eu-west-1") is None
    assert set(prices.refresh()) == {"eu-west-1"}
    found = prices.price_of("eu-west-1")
    assert found
    assert (found.kpu_hour, found.storage_gib_month, found.of) == (0.12, 0.11, "AWS's price list of 2026-11-02")
    assert prices.price_of("us-east-1") == PRICES["us-east-1"]
    assert {asked["ServiceCode"] for asked in price_list.asked} == {"AmazonKinesisAnalytics"}


def test_what_was_remembered_stays_when_the_list_says_nothing_or_no(price_list: PriceList) -> None:
    price_list.pages = [[product("KPU-Hour-Java", "0.1300000000", region="us-east-1")]]
    prices.refresh()
    price_list.pages = [[]]
    with pytest.raises(TargetError, match="no price"):
        prices.refresh()
    price_list.refuses = True
    with pytest.raises(TargetError, match="not authorized") as refused:
        prices.refresh()
    assert "pricing:GetProducts" in (refused.value.hint or "")
    found = prices.price_of("us-east-1")
    assert found
    assert found.kpu_hour == 0.13


def test_no_connection_is_told_with_what_to_do(price_list: PriceList, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_PRICING", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(TargetUnavailable, match="cannot be asked") as silent:
        prices.refresh()
    assert "--kpu-hour" in (silent.value.hint or "")


@pytest.mark.parametrize("damaged", ["", "[]", '{"us-east-1": {"kpu_hour": 1}}', '{"us-east-1": 7}', "\xff"])
def test_a_damaged_memory_is_as_none(damaged: str, price_list: PriceList, tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "managed-prices.json").write_text(damaged, "latin-1")
    assert prices.price_of("us-east-1") == PRICES["us-east-1"]


def told(parallelism: int, state: JobState | None, *, region: str | None = "us-east-1") -> tuple[str, ...]:
    settings = ManagedTarget(kind="managed", parallelism_per_kpu=2, **({"region": region} if region else {}))
    known = History(application="shop") if state is None else history()
    jobs = () if state is None else (job(state),)
    made = plan(changed(parallelism=parallelism), observed(*jobs), known)
    return prices.told(made, settings, known).changes[0].consequences


@pytest.fixture
def nothing_remembered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SCURRY_CACHE", str(tmp_path))
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("nothing_remembered")
def test_a_plan_says_what_it_will_cost_and_what_it_costs() -> None:
    assert BASE.parallelism == 2
    both = "$321.20 a month (4 KPUs), before $160.60 a month (2 KPUs)"
    assert told(5, JobState.RUNNING)[-1] == f"It will cost {both} in us-east-1, without storage and snapshots."
    first = "It will cost $321.20 a month (4 KPUs) in us-east-1, without storage and snapshots."
    assert told(5, None)[-1] == first
    assert told(5, None, region="eu-west-9")[-1] == "It will cost 4 KPUs in eu-west-9, whose price is not known here."
    assert told(5, None, region=None)[-1] == "It will cost 4 KPUs, whose price is not known here."


@pytest.mark.usefixtures("nothing_remembered")
def test_only_the_managed_service_costs_what_is_known() -> None:
    made = plan(changed(parallelism=5), observed(job()), history())
    assert prices.told(made, MemoryTarget(kind="memory"), history()) is made
