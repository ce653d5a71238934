"""boto3's clients of one account and region, and how they are called. boto3 is imported when it is first needed."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from scurry.model.errors import MissingExtra
from scurry.targets.managed.faults import calling

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVICE = "kinesisanalyticsv2"
"""the managed service, as boto3 names it"""
_ATTEMPTS = 5
"""botocore's `standard` mode: throttling and the service's faults are tried again after growing pauses"""
_CONNECT_S, _READ_S = 10, 60


class Aws:
    """Clients by service name, made when they are first needed. Credentials are boto3's own chain, never kept."""

    def __init__(self, target: str, *, region: str | None, profile: str | None, endpoint: str | None) -> None:
        self.target = target
        self._endpoint = endpoint
        self._asked_region = region
        self._profile = profile
        self._clients: dict[str, Any] = {}

    @property
    def region(self) -> str:
        """The region that calls go to."""
        return str(self.client("kinesisanalyticsv2").meta.region_name)

    @property
    def is_amazons(self) -> bool:
        """Whether calls go to AWS itself: an emulator may be named in the environment, too."""
        host = urlsplit(str(self.client("kinesisanalyticsv2").meta.endpoint_url)).hostname or ""
        return host.endswith((".amazonaws.com", ".amazonaws.com.cn"))

    def client(self, service: str) -> Any:
        """Return boto3's client of a service. Raises `MissingExtra`, `TargetUnsuitable`."""
        if service not in self._clients:
            from botocore.config import Config

            session = self._session
            style = {"addressing_style": "path"} if self._endpoint else {}
            config = Config(
                retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
                connect_timeout=_CONNECT_S,
                read_timeout=_READ_S,
                s3=style,
                user_agent_extra="scurry",
            )
            with calling(self.target, service):
                self._clients[service] = session.client(service, endpoint_url=self._endpoint, config=config)
        return self._clients[service]

    def call(self, service: str, operation: str, **request: Any) -> dict[str, Any]:
        """Make a call. `operation` as Python's method. Raises what `faults.calling` raises."""
        client = self.client(service)
        with calling(self.target, f"{service} {operation}"):
            answer: dict[str, Any] = getattr(client, operation)(**request)
            return answer

    def pages(self, service: str, operation: str, member: str, **request: Any) -> Iterator[dict[str, Any]]:
        """Give the entries of all pages of a listing; the next page is only asked for when it is needed."""
        token: dict[str, str] = {}
        while True:
            answer = self.call(service, operation, **request, **token)
            yield from answer.get(member, ())
            if not answer.get("NextToken"):
                return
            token = {"NextToken": answer["NextToken"]}

    @cached_property
    def _session(self) -> Any:
        try:
            import boto3
        except ImportError as error:
            raise MissingExtra("managed", purpose="a target of kind 'managed'") from error
        with calling(self.target, "credentials"):
            return boto3.session.Session(region_name=self._asked_region, profile_name=self._profile)
