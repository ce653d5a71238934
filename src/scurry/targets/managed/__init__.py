"""Amazon Managed Service for Apache Flink, in one account and region: the target `managed`.

Built on boto3 alone: nothing is asked of the service that its API does not offer.
"""

from scurry.targets.managed.settings import connect
from scurry.targets.managed.target import ManagedTarget

__all__ = ["ManagedTarget", "connect"]
