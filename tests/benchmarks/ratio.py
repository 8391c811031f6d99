"""What a benchmark yields: our rate against a peer's, measured in one run."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.results.records import Row


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
    def row(self) -> Row:
        """The row of a record: the ratio, or with `at_most` ours, held to the bar."""
        peer = f"{self.peer}: {self.theirs:.4g} {self.unit}"
        if self.at_most:
            return Row(self.name, self.ours, self.unit, at_most=self.bar, beside=peer)
        both = f"{self.ours:.4g} {self.unit}; {peer}"
        return Row(self.name, self.ratio, "x", at_least=self.bar, beside=both)


def interleaved_seconds(*jobs: Callable[[], object], rounds: int = 3) -> list[float]:
    """Median seconds of each job, the jobs taking turns so that noise hits all alike."""
    seconds: list[list[float]] = [[] for _ in jobs]
    for _ in range(rounds):
        for job, taken in zip(jobs, seconds, strict=True):
            start = time.perf_counter()
            job()
            taken.append(time.perf_counter() - start)
    return [statistics.median(taken) for taken in seconds]
