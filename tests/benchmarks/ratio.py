"""What a benchmark yields: our rate against a peer's, measured in one run."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Ratio:
    """One comparison; on a noisy machine only the ratio means something.

    Attributes
    ----------
    name, peer
        What was measured and what it is compared with.
    ours, theirs
        In `unit`, where more is better unless `at_most`.
    bar
        The ratio, or with `at_most` the value of `ours`, that must be met.
    """

    name: str
    peer: str
    ours: float
    theirs: float
    unit: str
    bar: float
    at_most: bool = False

    @property
    def ratio(self) -> float:
        """Ours over theirs."""
        return self.ours / self.theirs

    @property
    def met(self) -> bool:
        """Whether the bar is met."""
        return self.ours <= self.bar if self.at_most else self.ratio >= self.bar


def interleaved_seconds(*jobs: Callable[[], object], rounds: int = 3) -> list[float]:
    """Median seconds of each job, the jobs taking turns so that noise hits all alike."""
    seconds: list[list[float]] = [[] for _ in jobs]
    for _ in range(rounds):
        for job, taken in zip(jobs, seconds, strict=True):
            start = time.perf_counter()
            job()
            taken.append(time.perf_counter() - start)
    return [statistics.median(taken) for taken in seconds]
