"""How often the registry's gate opens: `python -m tests.results gate_rates`.

Two models answer on simulated particles, whose difficulty they share in part and groups share in
part. The candidate is truly worse by the margin, and should pass in 2.5 % of draws at most; or it
is as good, and should pass. Of 500 draws: a rate of 2.5 % has a standard error of 0.7 %.
"""

from collections.abc import Iterator

import numpy as np
from latentlaw.evaluation.scores.comparison import Answers, Comparison, compare, is_not_worse
from scipy.stats import norm

from tests.results.records import Row

ACCURACY, MARGIN, DRAWS = 0.85, 0.02, 500
SHARED, OF_GROUP = 0.7, 0.3  # standard deviations of difficulty; a model's own is 1
#: Per cent of candidates worse by the margin that may pass; and two standard errors of that.
WRONG = 2.5 + 2 * 0.7
SIZES = ((100, 1), (500, 12), (2000, 12))


def simulated(particles: int, groups: int, worse: float, seed: int) -> Comparison:
    """Compare a candidate that is worse by `worse` with a champion, on three classes."""
    generator = np.random.default_rng(seed)
    truth = generator.integers(3, size=particles)
    group = generator.integers(groups, size=particles)
    hard = SHARED * generator.normal(size=particles)
    hard += OF_GROUP * generator.normal(size=groups)[group]
    spread = np.sqrt(1 + SHARED**2 + OF_GROUP**2)
    answers = []
    for accuracy in (ACCURACY - worse, ACCURACY):
        right = hard + generator.normal(size=particles) < spread * norm.ppf(accuracy)
        other = (truth + generator.integers(1, 3, size=particles)) % 3
        predicted = np.where(right, truth, other).astype(str)
        answers.append(Answers(predicted, np.zeros((particles, 1))))
    return compare("macro_f1", truth.astype(str), *answers, group.astype(str), seed=seed)


def passes(particles: int, groups: int, worse: float) -> float:
    """Return the share of draws in which the candidate passes."""
    found = (simulated(particles, groups, worse, seed) for seed in range(DRAWS))
    return sum(is_not_worse(each.difference, MARGIN) for each in found) / DRAWS


def measure() -> Iterator[Row]:
    """Yield the share that passes, in per cent, a row a number of particles and groups."""
    for particles, groups in SIZES:
        of = f"{particles:,} particles, {groups} group{'s' if groups > 1 else ''}"
        for column, worse, most in (("worse by the margin", MARGIN, WRONG), ("equal", 0.0, None)):
            share = 100 * passes(particles, groups, worse)
            yield Row(of, share, "%", at_most=most, column=column, table="passes")
