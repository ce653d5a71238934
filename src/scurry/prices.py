"""What the managed service costs: the package's own table, and what AWS's price list said when it was last asked.

Part of floor 3. The list is asked only by `refresh`; its answer is kept in the user's cache.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from scurry.engine.sizing import PRICES, Price
from scurry.model.errors import MissingExtra, TargetError, TargetUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

SERVICE = "AmazonKinesisAnalytics"
"""the managed service's code in the price list; its older name"""
REGION_OF_THE_LIST = "us-east-1"
"""the price list has an end-point in few regions, and each knows the prices of all"""
_KPU, _STORAGE, _STUDIO = "KPU-Hour-Java", "RunningApplicationStorage", "Interactive"


def price_of(region: str) -> Price | None:
    """Return the price in a region, as AWS said last or as the package has it; None where neither knows it."""
    return _remembered().get(region) or PRICES.get(region)


def refresh() -> Mapping[str, Price]:
    """Ask AWS's price list for all regions, remember the answer, and return it by region.

    Needs credentials that may `pricing:GetProducts`. Raises `MissingExtra`; `TargetUnavailable`, `TargetError` when AWS
    does not answer, or not so.
    """
    found = _read(_products())
    if not found:
        raise TargetError(
            f"AWS's price list has no price of {SERVICE} in US dollars",
            hint="Give the price of the service's pricing page:\n  scurry size --kpu-hour 0.11",
        )
    place = _place()
    place.parent.mkdir(parents=True, exist_ok=True)
    beside = place.with_name(f"{place.name}.{os.getpid()}")
    beside.write_text(json.dumps({region: _written(price) for region, price in found.items()}), "utf-8")
    beside.replace(place)
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
