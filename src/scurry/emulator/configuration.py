"""An application's configuration: from what a client creates and updates to what `DescribeApplication` shows. Pure.

It is kept as the service describes it, with its defaults filled in; members that nobody set are absent.
"""

from __future__ import annotations

import base64
import hashlib
from copy import deepcopy
from typing import TYPE_CHECKING, Any, TypeAlias

from scurry.emulator.errors import invalid_argument

if TYPE_CHECKING:
    from collections.abc import Mapping

Block: TypeAlias = dict[str, Any]

# From "CheckpointConfiguration", "MonitoringConfiguration" and "ParallelismConfiguration" of the API reference, and
# what Terraform's acceptance tests find after a bare create.
_CHECKPOINT = {"CheckpointingEnabled": True, "CheckpointInterval": 60000, "MinPauseBetweenCheckpoints": 5000}
_MONITORING = {"MetricsLevel": "APPLICATION", "LogLevel": "INFO"}
_PARALLELISM = {"Parallelism": 1, "ParallelismPerKPU": 1, "AutoScalingEnabled": True}
_FLINK: Mapping[str, Mapping[str, Any]] = {
    "CheckpointConfiguration": _CHECKPOINT,
    "MonitoringConfiguration": _MONITORING,
    "ParallelismConfiguration": _PARALLELISM,
}
_FLAGS = {
    "ApplicationSnapshotConfiguration": ("SnapshotsEnabled", True),
    "ApplicationSystemRollbackConfiguration": ("RollbackEnabled", False),
}
_MOST_PER_KPU = 8
ENHANCED, LEGACY = "ENHANCED_SNAPSHOTS", "APPLICATION_SNAPSHOTS_LEGACY"


def created(given: Block) -> Block:
    """Return the description of an `ApplicationConfiguration`. Raises `ServiceError`."""
    found: Block = {}
    if code := given.get("ApplicationCodeConfiguration"):
        found["ApplicationCodeConfigurationDescription"] = _code(code["CodeContentType"], code.get("CodeContent", {}))
    flink = given.get("FlinkApplicationConfiguration", {})
    found["FlinkApplicationConfigurationDescription"] = {
        f"{name}Description": _typed(name, flink.get(name, {"ConfigurationType": "DEFAULT"})) for name in _FLINK
    }
    if "EnvironmentProperties" in given:
        groups = given["EnvironmentProperties"]["PropertyGroups"]
        found |= _properties(groups)
    for name, (flag, default) in _FLAGS.items():
        found[f"{name}Description"] = {flag: default, **given.get(name, {})}
    found["VpcConfigurationDescriptions"] = [
        vpc_described(vpc, f"{number}.1") for number, vpc in enumerate(given.get("VpcConfigurations", ()), start=1)
    ]
    if encryption := given.get("ApplicationEncryptionConfiguration"):
        found["ApplicationEncryptionConfigurationDescription"] = dict(encryption)
    return found


def updated(before: Block, update: Block) -> Block:
    """Return a configuration after an `ApplicationConfigurationUpdate`: what is absent stays. Raises `ServiceError`."""
    found = deepcopy(before)
    if code := update.get("ApplicationCodeConfigurationUpdate"):
        found["ApplicationCodeConfigurationDescription"] = _updated_code(
            found.get("ApplicationCodeConfigurationDescription"), code
        )
    for name in _FLINK:
        change = update.get("FlinkApplicationConfigurationUpdate", {}).get(f"{name}Update")
        if change:
            described = found["FlinkApplicationConfigurationDescription"]
            described[f"{name}Description"] = _typed(
                name, {**described[f"{name}Description"], **_without_suffix(change)}
            )
    if "EnvironmentPropertyUpdates" in update:
        found.pop("EnvironmentPropertyDescriptions", None)
        found |= _properties(update["EnvironmentPropertyUpdates"]["PropertyGroups"])
    for name in _FLAGS:
        found[f"{name}Description"] |= _without_suffix(update.get(f"{name}Update", {}))
    for change in update.get("VpcConfigurationUpdates", ()):
        _update_vpc(found["VpcConfigurationDescriptions"], change)
    if encryption := update.get("ApplicationEncryptionConfigurationUpdate"):
        found["ApplicationEncryptionConfigurationDescription"] = _without_suffix(encryption)
    return found


def vpc_described(vpc: Block, number: str) -> Block:
    """Return a VPC's description. There is no network to look its id up in."""
    return {
        "VpcConfigurationId": number,
        "VpcId": "vpc-00000000",
        "SubnetIds": list(vpc["SubnetIds"]),
        "SecurityGroupIds": list(vpc["SecurityGroupIds"]),
    }


def parallelism_block(configuration: Block) -> Block:
    """Return the block of parallelism."""
    flink: Block = configuration["FlinkApplicationConfigurationDescription"]
    found: Block = flink["ParallelismConfigurationDescription"]
    return found


def parallelism(configuration: Block) -> tuple[int, int]:
    """Return Parallelism and ParallelismPerKPU."""
    block = parallelism_block(configuration)
    return block["Parallelism"], block["ParallelismPerKPU"]


def kpus(parallelism: int, per_kpu: int) -> int:
    """Return how many KPUs a parallelism needs, without the one of the orchestration."""
    return -(-parallelism // per_kpu)


def checkpointing(configuration: Block) -> Block:
    """Return the block of checkpoints."""
    flink: Block = configuration["FlinkApplicationConfigurationDescription"]
    found: Block = flink["CheckpointConfigurationDescription"]
    return found


def monitoring(configuration: Block) -> Block:
    """Return the block of metrics and logs."""
    flink: Block = configuration["FlinkApplicationConfigurationDescription"]
    found: Block = flink["MonitoringConfigurationDescription"]
    return found


def property_groups(configuration: Block) -> list[Block]:
    """Return the groups of runtime properties, as `application_properties.json` holds them."""
    described: Block = configuration.get("EnvironmentPropertyDescriptions", {})
    return list(described.get("PropertyGroupDescriptions", ()))


def snapshots_enabled(configuration: Block) -> bool:
    """Whether the service takes a snapshot before a stop and an update."""
    return bool(configuration["ApplicationSnapshotConfigurationDescription"]["SnapshotsEnabled"])


def enhanced_snapshots(configuration: Block) -> bool:
    """Whether snapshots are the account's, and not the application's."""
    return bool(configuration["ApplicationSnapshotConfigurationDescription"].get("SnapshotMode") == ENHANCED)


def system_rollback(configuration: Block) -> bool:
    """Whether the service itself goes back when an operation fails."""
    return bool(configuration["ApplicationSystemRollbackConfigurationDescription"]["RollbackEnabled"])


def code_location(configuration: Block) -> Block | None:
    """Return `S3ApplicationCodeLocationDescription`; None where the code is not in S3."""
    code = configuration.get("ApplicationCodeConfigurationDescription", {})
    found: Block | None = code.get("CodeContentDescription", {}).get("S3ApplicationCodeLocationDescription")
    return found


def _typed(name: str, given: Block) -> Block:
    """DEFAULT takes the default values, whatever else is said; CUSTOM takes them for what is not said."""
    kind = given.get("ConfigurationType", "DEFAULT")
    defaults = dict(_FLINK[name])
    known = {key: value for key, value in given.items() if key in defaults}
    found = {"ConfigurationType": kind, **defaults, **(known if kind == "CUSTOM" else {})}
    if found.get("ParallelismPerKPU", 1) > _MOST_PER_KPU:
        raise invalid_argument(f"ParallelismPerKPU must be at most {_MOST_PER_KPU}")
    return found


def _properties(groups: list[Block]) -> Block:
    """An empty list removes all groups: Terraform does that."""
    names = [group["PropertyGroupId"] for group in groups]
    if len(set(names)) < len(names):
        raise invalid_argument("Property group ids must be unique")
    if not groups:
        return {}
    return {"EnvironmentPropertyDescriptions": {"PropertyGroupDescriptions": deepcopy(groups)}}


def _code(kind: str, content: Block) -> Block:
    if len(content) > 1:
        raise invalid_argument("Only one of TextContent, ZipFileContent and S3ContentLocation may be given")
    if "S3ContentLocation" in content:
        described: Block = {"S3ApplicationCodeLocationDescription": dict(content["S3ContentLocation"])}
    elif "TextContent" in content:
        described = {"TextContent": content["TextContent"]}
    elif "ZipFileContent" in content:
        data: bytes = content["ZipFileContent"]
        described = {
            "CodeMD5": base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode(),
            "CodeSize": len(data),
        }
    else:
        described = {}
    return {"CodeContentType": kind, **({"CodeContentDescription": described} if described else {})}


def _updated_code(before: Block | None, update: Block) -> Block:
    kind = update.get("CodeContentTypeUpdate") or (before or {}).get("CodeContentType", "ZIPFILE")
    change = _without_suffix(update.get("CodeContentUpdate", {}))
    if "S3ContentLocation" in change:
        old = (before or {}).get("CodeContentDescription", {}).get("S3ApplicationCodeLocationDescription", {})
        # Another object has other versions: that of the one before says nothing of it.
        kept = {} if "FileKeyUpdate" in change["S3ContentLocation"] else old
        location = {**old, **_without_suffix(change["S3ContentLocation"])}
        if "ObjectVersion" not in kept and "ObjectVersionUpdate" not in change["S3ContentLocation"]:
            location.pop("ObjectVersion", None)
        change["S3ContentLocation"] = {key: value for key, value in location.items() if value != ""}
    if not change:
        return {**(before or {}), "CodeContentType": kind}
    return _code(kind, change)


def _update_vpc(known: list[Block], change: Block) -> None:
    for vpc in known:
        if vpc["VpcConfigurationId"] == change["VpcConfigurationId"]:
            vpc["SubnetIds"] = change.get("SubnetIdUpdates", vpc["SubnetIds"])
            vpc["SecurityGroupIds"] = change.get("SecurityGroupIdUpdates", vpc["SecurityGroupIds"])
            return
    raise invalid_argument(f"There is no VPC configuration {change['VpcConfigurationId']}")


def _without_suffix(update: Block) -> Block:
    return {key.removesuffix("Update"): value for key, value in update.items()}
