"""The symbolic search over the classes of one problem: targets, engine runs, whole models."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import numpy as np

from latentlaw.discovery.assemble import Assembled, Scored, assemble, choose, score_pool
from latentlaw.discovery.engines import SearchSpec, SymbolicEngine
from latentlaw.discovery.equations import EquationModel, unscale
from latentlaw.discovery.expressions import snap, tidy
from latentlaw.discovery.latents import LatentData, LatentScaling, search_scaling
from latentlaw.discovery.refit import Sample
from latentlaw.discovery.scores import log_softmax

if TYPE_CHECKING:
    from collections.abc import Callable

    import sympy
    from numpy.typing import NDArray

    from latentlaw.discovery.networks import LatentNetwork

    Progress = Callable[[str, float], None]

SEARCH_SHARE = 0.6  # of the budget; the rest is for networks, refits and simplification
GENERATIONS_PER_S = 10.0  # a cautious rate (40 measured) for 500 individuals and 600 rows
LARGEST_SAMPLE = 2000
LARGEST_LOGIT = 6.0
EXACT_DIGITS = 12  # rids constants of the rounding noise of a change of scale


class EquationSearch:
    """The symbolic part: targets, runs of the engine, and models in the latents themselves."""

    def __init__(
        self,
        data: LatentData,
        scaling: LatentScaling,
        engine: SymbolicEngine,
        largest: int,
        seed: int,
        threads: int,
    ) -> None:
        self.data, self.engine, self.largest = data, engine, largest
        self.scaling = search_scaling(scaling)
        self.seed, self.threads = seed, threads
        rows = np.random.default_rng(seed).permutation(len(data.train))[:LARGEST_SAMPLE]
        self.rows = np.sort(rows)
        self.names = tuple(data.latent_names[j] for j in self.scaling.kept)
        self.heads = (1,) if data.classes == 2 else tuple(range(data.classes))
        self.train = self._sample(data.train.latents[self.rows], data.train.labels[self.rows])
        self.val = self._sample(data.val.latents, data.val.labels)

    def find(
        self, teacher: LatentNetwork, budget_s: float, left_s: float, tell: Progress
    ) -> tuple[list[EquationModel], EquationModel, bool]:
        """Return models of growing size, the chosen one, and whether the clock cut a search."""
        pools, limited = self.run(teacher, budget_s, left_s, tell)
        tell("equations", 0.75)
        models, chosen = self.assemble(pools)
        return models, chosen, limited

    def run(
        self, teacher: LatentNetwork, budget_s: float, left_s: float, tell: Progress
    ) -> tuple[list[list[sympy.Expr]], bool]:
        """Return the pool of expressions for each head, and whether the clock cut a search."""
        generations, restarts = planned_work(
            budget_s, len(self.heads), len(self.rows), self.largest
        )
        seeds = np.random.default_rng(self.seed).integers(2**31, size=(len(self.heads), restarts))
        deadline = time.monotonic() + left_s
        pools: list[list[sympy.Expr]] = []
        limited = False
        total = len(self.heads) * restarts
        for h, k in enumerate(self.heads):
            pool: list[sympy.Expr] = []
            for r in range(restarts):
                tell(f"search {self.data.class_names[k]}", 0.15 + 0.6 * (h * restarts + r) / total)
                share = (deadline - time.monotonic()) / (total - h * restarts - r)
                spec = SearchSpec(
                    max_complexity=self.largest,
                    generations=generations,
                    time_s=max(1.0, share),
                    seed=int(seeds[h, r]),
                    threads=self.threads,
                )
                target = self._distilled(teacher, k) if r % 2 == 0 else self._signs(k)
                front = self.engine.search(self.train.latents, target, names=self.names, spec=spec)
                limited = limited or front.time_limited
                pool += [c.expression for c in front.candidates]
            pools.append(pool)
        return pools, limited

    def assemble(self, pools: list[list[sympy.Expr]]) -> tuple[list[EquationModel], EquationModel]:
        """Return models of growing size and the one chosen on validation."""
        fronts: list[list[Scored]] = []
        for k, pool in zip(self.heads, pools, strict=True):
            train = self.train if len(self.heads) == 1 else self.train.one_vs_rest(k)
            val = self.val if len(self.heads) == 1 else self.val.one_vs_rest(k)
            fronts.append(score_pool(pool, train, val, largest=self.largest))
        found = assemble(fronts, self.train, self.val, largest=self.largest)
        best = choose(found)
        models = [self._model(item) for item in found]
        return models, models[found.index(best)]

    def _model(self, item: Assembled) -> EquationModel:
        shift, scale = self.scaling.shift.tolist(), self.scaling.scale.tolist()
        names = self.data.latent_names
        heads = item.heads
        if any(shift) or any(s != 1 for s in scale):
            wide = (tidy(unscale(head, names, shift, scale)) for head in heads)
            heads = tuple(snap(head, EXACT_DIGITS) for head in wide)
        return EquationModel(self.data.class_names, names, heads)

    def _sample(self, latents: NDArray[np.floating], labels: NDArray[np.int64]) -> Sample:
        return Sample(self.scaling.apply(latents), labels, self.names)

    def _distilled(self, teacher: LatentNetwork, k: int) -> NDArray[np.float64]:
        """Log-odds of class `k` under the teacher, clipped; `(rows,)`."""
        log_p = log_softmax(teacher.logits(self.data.train.latents[self.rows]))
        rest = np.logaddexp.reduce(np.delete(log_p, k, axis=1), axis=1)
        odds: NDArray[np.float64] = np.clip(log_p[:, k] - rest, -LARGEST_LOGIT, LARGEST_LOGIT)
        return odds

    def _signs(self, k: int) -> NDArray[np.float64]:
        return np.where(self.train.labels == k, 1.0, -1.0)


def planned_work(budget_s: float, heads: int, rows: int, largest: int) -> tuple[int, int]:
    """Return generations and restarts for each head: fixed work that fits the budget with room.

    Two restarts, one on the teacher's log-odds and one on labels, then more of them before more
    generations.
    """
    rate = GENERATIONS_PER_S * min(1.0, 600 / rows) * min(1.0, 30 / largest)
    total = SEARCH_SHARE * budget_s / heads * rate
    restarts = 4 if total >= 160 else 2
    return max(5, min(100, math.floor(total / restarts))), restarts
