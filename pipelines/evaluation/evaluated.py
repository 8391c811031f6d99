"""What an evaluation found, of whatever was evaluated."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Evaluated:
    """A run, its metrics by name, and the prior as given, as used and as learned."""

    run_id: str
    metrics: dict[str, float]
    affinity: dict[str, Any]
