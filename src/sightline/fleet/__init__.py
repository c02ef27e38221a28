"""Run a function over many items: here, in processes of this machine, or on a Ray cluster (`fleet.cluster`, extra `ray`).

The results are the same everywhere; only their order is that of completion.
"""

from sightline.fleet.pool import Here, Lost, Pool
from sightline.fleet.processes import Processes

__all__ = ["Here", "Lost", "Pool", "Processes"]
