"""The application as the service itself shows it, whoever made it."""

from __future__ import annotations

from functools import cached_property
from typing import Any


class OnService:
    """One application of the service, by its name there; where the service is says the environment."""

    def __init__(self, name: str) -> None:
        self.name = name

    @cached_property
    def service(self) -> Any:
        """boto3's client of the service, for looking and for what others do."""
        import boto3

        return boto3.client("kinesisanalyticsv2")

    def detail(self) -> dict[str, Any]:
        """`DescribeApplication`."""
        found: dict[str, Any] = self.service.describe_application(ApplicationName=self.name)["ApplicationDetail"]
        return found

    @property
    def service_status(self) -> str:
        """What the service says of the application."""
        return str(self.detail()["ApplicationStatus"])
