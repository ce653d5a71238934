"""The thirteen situations with scurry.

As in with_terraform.py each function is a situation, does what people do, and returns where that ends, as it was seen.
"""

from __future__ import annotations

import json
import os

import boto3
from output import wait_until
from project import NAME, Project, changed, converged, message_of


def make_surroundings() -> None:
    """Bucket, role and log stream: what infra/modules/managed-application makes with `owner = "scurry"`."""
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="totals-code")
    s3.put_bucket_versioning(Bucket="totals-code", VersioningConfiguration={"Status": "Enabled"})
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "kinesisanalytics.amazonaws.com"}}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    logs = boto3.client("logs")
    logs.create_log_group(logGroupName="/totals")
    logs.create_log_stream(logGroupName="/totals", logStreamName=NAME)
    boto3.client("iam").create_role(RoleName="totals", AssumeRolePolicyDocument=document)


def b01_build_upload_create_and_start(project: Project) -> str:
    make_surroundings()
    converged(project.apply())
    assert project.output.lines_beyond(0)
    return f"{project.service_status}, with one command after the build"


def b02_change_of_code(project: Project) -> str:
    since = project.output.lines()
    project.edit("totals-1.jar", "totals-2.jar")
    converged(project.apply())
    assert project.output.keeps_state(since)
    return f"{project.service_status}, with its state"


def b03_change_that_cannot_start(project: Project) -> str:
    since = project.output.lines()
    project.edit("totals-2.jar", "totals-wrong-class.jar")
    refused = message_of(project.apply())
    assert project.output.keeps_state(since), "the old job was not touched"
    project.edit("totals-wrong-class.jar", "totals-2.jar")
    return f"refused before the stop: {refused.partition(',')[0]}; {project.service_status}"


def b04_back_to_an_earlier_version(project: Project) -> str:
    since = project.output.lines()
    converged(changed(project.run("rollback", NAME, "--yes")))
    assert project.output.keeps_state(since)
    ended = f"one command: {project.service_status}, with its state"
    project.edit("totals-2.jar", "totals-1.jar")  # what runs now is what the file says
    return ended


def b05_changed_behind_its_back(project: Project) -> str:
    """Somebody stops the application and changes its log level."""
    service = project.service
    service.stop_application(ApplicationName=NAME)
    wait_until(lambda: project.service_status == "READY", "the stop")
    level = {"MonitoringConfigurationUpdate": {"ConfigurationTypeUpdate": "CUSTOM", "LogLevelUpdate": "ERROR"}}
    version = project.detail()["ApplicationVersionId"]
    update = {"FlinkApplicationConfigurationUpdate": level}
    service.update_application(
        ApplicationName=NAME, CurrentApplicationVersionId=version, ApplicationConfigurationUpdate=update
    )
    wait_until(lambda: project.service_status == "READY", "the update")
    code, _ = project.run("plan", "application.yaml", "--check")
    since = project.output.lines()
    converged(project.apply())
    assert project.output.keeps_state(since)
    ended = f"{project.service_status}, log level {project.log_level()}"
    return f"plan --check ends with {code}: it does not run; one apply: {ended}"


def b06_change_of_configuration(project: Project) -> str:
    since = project.output.lines()
    project.edit("interval: 1s", "interval: 2s")
    converged(project.apply())
    assert project.output.keeps_state(since)
    return f"{project.service_status}, with its state"


def b07_restarts_in_a_loop(project: Project) -> str:
    since = project.output.lines()
    project.edit("totals-1.jar", "totals-loop.jar")
    applied = project.apply()
    assert applied["outcome"] == "rolled_back", applied
    assert project.output.keeps_state(since)
    project.edit("totals-loop.jar", "totals-1.jar")
    why = "told" if "price is missing" in message_of(applied) else "not told"
    return f"rolled back by the same command, the cause {why}: {project.service_status}, with its state"


def b08_parallelism_and_its_quota(project: Project) -> str:
    project.edit("parallelism: 1", "parallelism: 65")
    project.edit("per_kpu: 2", "per_kpu: 1", file="scurry.yaml")
    refused = message_of(project.apply())
    project.edit("parallelism: 65", "parallelism: 2")
    project.edit("per_kpu: 1", "per_kpu: 2", file="scurry.yaml")
    since = project.output.lines()
    converged(project.apply())
    assert project.output.keeps_state(since)
    return f"refused before the stop: {refused}; within the quota {project.service_status}, with its state"


def b09_operator_removed(project: Project) -> str:
    since = project.output.lines()
    project.edit("totals-1.jar", "totals-without-total.jar")
    ended = _without_losing_state(project, since)
    project.edit("totals-without-total.jar", "totals-1.jar")
    return ended


def b10_uid_changed(project: Project) -> str:
    since = project.output.lines()
    project.edit("totals-1.jar", "totals-renamed.jar")
    ended = _without_losing_state(project, since)
    project.edit("totals-renamed.jar", "totals-1.jar")
    return ended


def _without_losing_state(project: Project, since: int) -> str:
    """Apply what would lose state: it is refused, or undone, and the totals go on."""
    applied = project.apply()
    assert applied.get("outcome") != "converged", applied
    assert project.output.keeps_state(since)
    told = "told after the stop, rolled back by itself" if "outcome" in applied else "refused before the stop"
    return f"{told}: {project.service_status}, with its state"


def b11_newer_flink(project: Project) -> str:
    since = project.output.lines()
    project.edit('flink: "1.19"', 'flink: "1.20"')
    converged(project.apply())
    assert project.output.keeps_state(since)
    return f"1.20: {project.service_status}, with its state"


def b12_stop_and_start(project: Project) -> str:
    taken = changed(project.run("snapshot", "create", NAME, "--yes"))
    location = taken["snapshot"]["location"]
    changed(project.run("stop", NAME, "--yes"))
    stopped = project.service_status
    converged(changed(project.run("start", NAME, "--from", location, "--yes")))
    older = project.status()["restored_from"] == location
    since = project.output.lines()
    converged(changed(project.run("restart", NAME, "--from", "none", "--yes")))
    assert older
    assert project.output.begins_anew(since)
    return f"a command each: {stopped}; from an older snapshot; from none, and the totals begin at 1"


def b13_several_people(project: Project) -> str:
    short = boto3.client("sts").assume_role(RoleArn="arn:aws:iam::123456789012:role/totals", RoleSessionName="ci")
    os.environ |= {
        "AWS_ACCESS_KEY_ID": short["Credentials"]["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": short["Credentials"]["SecretAccessKey"],
        "AWS_SESSION_TOKEN": short["Credentials"]["SessionToken"],
    }
    project.edit("interval: 2s", "interval: 3s")
    first = project.start("apply", "application.yaml", "--yes")
    wait_until(lambda: project.service_status != "RUNNING", "the first apply to begin")
    second = message_of(project.apply()).partition(" by ")[0]
    first.communicate()
    assert first.returncode == 0
    return f"the second apply is refused: {second}; short-lived credentials do"
