"""What the managed service costs: the package's own table, and what AWS's price list said when it was last asked.

Part of floor 3. The list is asked only by `refresh`; its answer is kept in the user's cache.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from scurry.artifacts.disk import write_atomically
from scurry.engine.sizing import PRICES, KpuSizing, Price
from scurry.model.errors import MissingExtra, TargetError, TargetUnavailable
from scurry.model.observed import Phase
from scurry.model.operation import Deploy, Rescale, Resume, Upgrade
from scurry.model.project import ManagedTarget

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from scurry.model.desired import Desired
    from scurry.model.journal import History
    from scurry.model.plan import Change, Plan
    from scurry.model.project import TargetSettings

SERVICE = "AmazonKinesisAnalytics"
"""the managed service's code in the price list; its older name"""
REGION_OF_THE_LIST = "us-east-1"
"""the price list has an end-point in few regions, and each knows the prices of all"""
_BILLED = frozenset({Phase.STARTING, Phase.RUNNING, Phase.RESTARTING})
_KPU, _STORAGE, _STUDIO = "KPU-Hour-Java", "RunningApplicationStorage", "Interactive"


def price_of(region: str) -> Price | None:
    """Return the price in a region, as AWS said last or as the package has it; None where neither knows it."""
    return _remembered().get(region) or PRICES.get(region)


def told(plan: Plan, settings: TargetSettings, history: History) -> Plan:
    """Return a plan that says what its application will cost on the managed service, and what it costs before."""
    if not isinstance(settings, ManagedTarget):
        return plan
    region = settings.region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    price = price_of(region) if region else None
    runs = history.current is not None and history.target == plan.target and plan.phase in _BILLED
    before = f", before {_cost(history.current.desired, settings, price)}" if history.current and runs else ""
    place = f" in {region}" if region else ""
    known = "without storage and snapshots" if price else "whose price is not known here"

    def with_cost(change: Change) -> Change:
        if not isinstance(change.operation, Deploy | Upgrade | Resume | Rescale):
            return change
        cost = f"It will cost {_cost(change.operation.desired, settings, price)}{before}{place}, {known}."
        return replace(change, consequences=(*change.consequences, cost))

    return replace(plan, changes=tuple(map(with_cost, plan.changes)))


def _cost(wish: Desired, settings: ManagedTarget, price: Price | None) -> str:
    """Return what is billed: the KPUs with the one that orchestrates."""
    sizing = KpuSizing(parallelism=wish.parallelism, per_kpu=settings.parallelism_per_kpu)
    kpus = f"{sizing.billed_kpus} KPUs"
    return kpus if price is None else f"${sizing.per_month(price):,.2f} a month ({kpus})"


def refresh() -> Mapping[str, Price]:
    """Ask AWS's price list for all regions, remember the answer, and return it by region.

    Needs credentials that may `pricing:GetProducts`. Raises `MissingExtra`; `TargetUnavailable`, `TargetError` when AWS
    does not answer, or not so; `WorkspaceError` when the answer cannot be written down.
    """
    found = _read(_products())
    if not found:
        raise TargetError(
            f"AWS's price list has no price of {SERVICE} in US dollars",
            hint="Give the price of the service's pricing page:\n  scurry size --kpu-hour 0.11",
        )
    text = json.dumps({region: _written(price) for region, price in found.items()})
    write_atomically(_place(), text.encode())
    return found


def _products() -> Iterable[Mapping[str, Any]]:
    try:
        import boto3
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError as error:
        raise MissingExtra("managed", purpose="AWS's price list") from error
    try:
        pages = boto3.client("pricing", region_name=REGION_OF_THE_LIST).get_paginator("get_products")
        return [json.loads(text) for page in pages.paginate(ServiceCode=SERVICE) for text in page["PriceList"]]
    except ClientError as error:
        raise TargetError(
            f"AWS's price list was not told: {error}",
            hint="It needs the permission `pricing:GetProducts`. To see as whom you ask, run:\n"
            "  aws sts get-caller-identity",
        ) from error
    except BotoCoreError as error:
        raise TargetUnavailable(
            f"AWS's price list cannot be asked: {error}",
            hint="It needs AWS credentials and a connection. Or give the price of the service's pricing page:\n"
            "  scurry size --kpu-hour 0.11",
        ) from error


def _read(products: Iterable[Mapping[str, Any]]) -> dict[str, Price]:
    """Return the prices by region. What is billed is told by the end of the usage type: `EU-KPU-Hour-Java`."""
    kpus: dict[str, tuple[float, str]] = {}
    storage: dict[str, float] = {}
    for product in products:
        attributes = product["product"]["attributes"]
        usage, region = attributes.get("usagetype", ""), attributes.get("regionCode", "")
        price = _in_dollars(product)
        if price is None or _STUDIO in usage or not region:
            continue
        if usage.endswith(_KPU):
            kpus[region] = price, str(product.get("publicationDate", ""))[:10]
        elif usage.endswith(_STORAGE):
            storage[region] = price
    return {
        region: Price(
            region=region,
            kpu_hour=hour,
            storage_gib_month=storage.get(region),
            of=f"AWS's price list of {published}" if published else "AWS's price list",
        )
        for region, (hour, published) in kpus.items()
    }


def _in_dollars(product: Mapping[str, Any]) -> float | None:
    """Return the price of a unit on demand; None where it is in another currency, as in China, or for nothing."""
    prices = [
        float(dimension["pricePerUnit"]["USD"])
        for term in product.get("terms", {}).get("OnDemand", {}).values()
        for dimension in term["priceDimensions"].values()
        if "USD" in dimension["pricePerUnit"]
    ]
    return max(prices, default=0.0) or None


def _remembered() -> Mapping[str, Price]:
    """What the list said last. What cannot be read is as if it was never asked."""
    try:
        told = json.loads(_place().read_text("utf-8"))
        return {region: Price(region=region, **price) for region, price in told.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _written(price: Price) -> dict[str, Any]:
    return {"kpu_hour": price.kpu_hour, "storage_gib_month": price.storage_gib_month, "of": price.of}


def _place() -> Path:
    from scurry.flink.runtimes import default_cache

    return default_cache() / "managed-prices.json"
