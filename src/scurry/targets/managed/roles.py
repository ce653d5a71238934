"""Roles that the service becomes: whom they have to trust, and whether they are there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scurry.model.errors import TargetUnsuitable
from scurry.targets.managed.faults import Answered

if TYPE_CHECKING:
    from scurry.targets.managed.aws import Aws

TRUST = """{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
  "Principal": {"Service": "kinesisanalytics.amazonaws.com"}}]}"""


def is_missing(aws: Aws, role: str) -> bool:
    """Whether there is known to be no role of an ARN.

    To deploy, nobody needs to look at roles: where asking is not allowed, the service says whether it can use it.
    """
    try:
        aws.call("iam", "get_role", RoleName=role.rpartition("/")[2])
    except Answered as error:
        return error.word == "NoSuchEntity"
    except TargetUnsuitable:
        return False
    return False
