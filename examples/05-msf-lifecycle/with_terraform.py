"""The thirteen situations with plain Terraform and, where it has no word for one, AWS's own API by hand.

Each function is a situation: it does what people do, and returns where that ends, as it was seen. Together they are the
life of one application, in this order; each leaves it running, however much has to be done by hand for that.
"""

from __future__ import annotations

import os

import boto3
from plain import NAME, Plain, error_of, succeeded


def b01_build_upload_create_and_start(plain: Plain) -> str:
    succeeded(plain.apply(jar="totals-1"))
    assert plain.output.lines_beyond(0)
    return f"{plain.service_status}, with one command after the build"


def b02_change_of_code(plain: Plain) -> str:
    since = plain.output.lines()
    succeeded(plain.apply(jar="totals-2"))
    assert plain.output.keeps_state(since)
    return f"{plain.service_status}, with its state"


def b03_change_that_cannot_start(plain: Plain) -> str:
    """The jar's manifest names a class that is not in it."""
    failed = plain.apply(jar="totals-wrong-class")
    assert failed.returncode == 1
    after, planned = plain.service_status, plain.plan()
    succeeded(plain.apply(jar="totals-2"))
    mended = plain.service_status
    plain.call("start_application", RunConfiguration={})  # by hand: no apply does it
    return f"{after}; the next plan has {planned}; with the old jar applied again {mended}"


def b04_back_to_an_earlier_version(plain: Plain) -> str:
    succeeded(plain.apply(log_level="WARN"))
    version = plain.detail()["ApplicationVersionId"]
    ended = plain.call("rollback_application", CurrentApplicationVersionId=version)
    return f"only by the API: {ended}; then the plan has {plain.plan()}, which would undo it"


def b05_changed_behind_its_back(plain: Plain) -> str:
    """Somebody stops the application and changes its log level."""
    plain.call("stop_application")
    level = {"MonitoringConfigurationUpdate": {"LogLevelUpdate": "ERROR"}}
    version = plain.detail()["ApplicationVersionId"]
    update = {"FlinkApplicationConfigurationUpdate": level}
    plain.call("update_application", CurrentApplicationVersionId=version, ApplicationConfigurationUpdate=update)
    planned = plain.plan()
    succeeded(plain.apply())
    ended = (
        f"the plan has {planned}: of the level; after the apply {plain.service_status}, and the plan has {plain.plan()}"
    )
    plain.call("start_application", RunConfiguration={})
    return ended


def b06_change_of_configuration(plain: Plain) -> str:
    since = plain.output.lines()
    succeeded(plain.apply(log_level="INFO"))
    assert plain.output.keeps_state(since)
    return f"{plain.service_status}, with its state"


def b07_restarts_in_a_loop(plain: Plain) -> str:
    since = plain.output.lines()
    succeeded(plain.apply(jar="totals-loop"))
    said, written = plain.service_status, len(plain.output.totals())
    refused = error_of(plain.apply(jar="totals-2"))
    assert "Failed to take snapshot" in refused
    succeeded(plain.apply(jar="totals-loop", start=False, force_stop=True))
    assert len(plain.output.totals()) == written, "not one record came through"
    succeeded(plain.apply(jar="totals-2", start=True, force_stop=False))
    assert plain.output.keeps_state(since)
    return f"the apply succeeds, {said}, nothing comes out; the good jar is refused; two applies by hand mend it"


def b08_parallelism_and_its_quota(plain: Plain) -> str:
    planned = plain.plan(parallelism=65)
    refused = error_of(plain.apply())
    since = plain.output.lines()
    succeeded(plain.apply(parallelism=2))
    assert plain.output.keeps_state(since)
    return f"the plan has {planned}; the apply: {refused}; within the quota {plain.service_status}, with its state"


def b09_operator_removed(plain: Plain) -> str:
    since = plain.output.lines()
    failed = error_of(plain.apply(jar="totals-without-total"))
    assert "fits no operator" in failed
    after = plain.service_status
    succeeded(plain.apply(allow_non_restored_state=True))
    allowed = plain.service_status
    succeeded(plain.apply(jar="totals-2", allow_non_restored_state=None))
    plain.call("start_application", RunConfiguration={})
    assert plain.output.keeps_state(since)
    return f"{after}, told after the stop; with allow_non_restored_state applied {allowed}"


def b10_uid_changed(plain: Plain) -> str:
    """allow_non_restored_state is still there since the last operator was removed, as it stays in a project."""
    since = plain.output.lines()
    plain.snapshot("good")
    succeeded(plain.apply(jar="totals-renamed", allow_non_restored_state=True))
    said = plain.service_status
    assert plain.output.begins_anew(since)
    lost = plain.output.lines()
    succeeded(plain.apply(jar="totals-2", allow_non_restored_state=None, snapshot="good"))
    assert plain.output.keeps_state(lost)
    return f"the apply succeeds, {said}, and the totals begin at 1: the state is lost, and nothing says so"


def b11_newer_flink(plain: Plain) -> str:
    since = plain.output.lines()
    succeeded(plain.apply(runtime="FLINK-1_20", snapshot=None))
    assert plain.output.keeps_state(since)
    assert "runtime_environment" in plain.plan(runtime="FLINK-2_2")
    plain.set(runtime="FLINK-1_20")
    return f"1.20: {plain.service_status}, with its state; 2.x: the provider knows no such runtime"


def b12_stop_and_start(plain: Plain) -> str:
    succeeded(plain.apply(start=False))
    stopped = plain.service_status
    succeeded(plain.apply(start=True))
    return f"two changes of the project: {stopped}; {plain.service_status} from snapshot {plain.started_from()}"


def b13_several_people(plain: Plain) -> str:
    """State in S3 with a lock, short-lived credentials."""
    boto3.client("s3").create_bucket(Bucket="terraform-state")
    short = boto3.client("sts").assume_role(RoleArn=f"arn:aws:iam::123456789012:role/{NAME}", RoleSessionName="ci")[
        "Credentials"
    ]
    os.environ |= {
        "AWS_ACCESS_KEY_ID": short["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": short["SecretAccessKey"],
        "AWS_SESSION_TOKEN": short["SessionToken"],
    }
    (plain.folder / "backend.tf").write_text(BACKEND, "utf-8")
    succeeded(plain.terraform("init", "-migrate-state", "-force-copy"))
    with plain.waiting_for_an_answer(log_level="WARN"):
        second = error_of(plain.terraform("plan"))
    plain.set(log_level="INFO")
    assert second == "Error acquiring the state lock", second
    return "with its state in S3 the second is refused, and short-lived credentials do"


BACKEND = """\
terraform {
  backend "s3" {
    bucket                      = "terraform-state"
    key                         = "totals"
    use_lockfile                = true
    use_path_style              = true
    skip_credentials_validation = true
    skip_metadata_api_check     = true
    skip_requesting_account_id  = true
  }
}
"""
