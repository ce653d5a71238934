"""A Flink session cluster that is there, by the address of its REST API: the target `rest`.

`RestTarget` is the target; a target that looks after its cluster itself builds on it.
"""

from scurry.targets.rest.places import Places
from scurry.targets.rest.settings import connect
from scurry.targets.rest.target import RestTarget

__all__ = ["Places", "RestTarget", "connect"]
