"""The symbolic search over the classes of one problem: targets, engine runs, whole models."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, get_args

import numpy as np

from latentlaw.discovery.equations.expressions import snap, tidy
from latentlaw.discovery.equations.model import EquationModel, unscale
from latentlaw.discovery.latents import LatentData, LatentScaling, LatentSplit, search_scaling
from latentlaw.discovery.pareto import pareto_front
from latentlaw.discovery.scores import particle_weights
from latentlaw.discovery.search.assemble import (
    Candidate,
    assemble,
    head_candidates,
    searches_that_found,
)
from latentlaw.discovery.search.choice import Assembled, choose, draw_folds
from latentlaw.discovery.search.deadline import Deadline
from latentlaw.discovery.search.engines.engine import SearchSpec, SymbolicEngine
from latentlaw.discovery.search.polynomials import polynomial_laws
from latentlaw.discovery.search.refit import Sample, round_constants

if TYPE_CHECKING:
    from collections.abc import Callable

    import sympy
    from numpy.typing import NDArray

    Progress = Callable[[str, float], None]
    Find = tuple[sympy.Expr, int | None]  # an expression and the search that found it

Targets = Literal["both", "distil", "labels"]
TARGETS = get_args(Targets)
SEARCH_SHARE = 0.5  # of the budget that searches are planned for
CUT_SHARE = 0.55  # of the budget: when searches that are slower than planned are cut
FIT_SHARE = 0.9  # of the budget: when refits and cross-validation are cut
GENERATIONS_PER_S = 30.0  # a cautious rate (38 to 52 measured) for 500 individuals and 600 rows
MOST_SEARCHED = 1000  # rows of a search
MOST_FITTED = 3000  # rows that constants are fitted to
LARGEST_LOGIT = 20.0
# Standard errors that the chosen model may be worse than the best. Of the fifty or so terms that a
# search tries, chance lets one gain two or three on logits of little noise; on labels, where more
# terms bring more accuracy, one error did best on small data.
LOGIT_ERRORS, LABEL_ERRORS = 3.0, 1.0
EXACT_DIGITS = 12  # rids constants of the rounding noise of a change of scale


class Teacher(Protocol):
    """A model whose logits equations are to copy."""

    def logits(self, latents: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return logits `(n, K)` of latents `(n, d)`."""
        ...


@dataclass(frozen=True)
class FoundEquations:
    """Models of growing size, the chosen one, and how it came about.

    `times` says for each expression of the chosen model how many of the `searches` per class led
    to it; `time_limited` whether the clock ended any step early.
    """

    models: tuple[EquationModel, ...]
    chosen: EquationModel
    times: tuple[int, ...]
    searches: int
    time_limited: bool


class EquationSearch:
    """The symbolic part: targets, runs of the engine, and models in the latents themselves.

    Structures are searched on training particles. Constants are fitted, and models chosen, on
    training and validation particles together, by cross-validation.

    Parameters
    ----------
    data
        Latents and labels; test particles are not looked at.
    scaling
        Of `check_latents`; the searched latents are those that it keeps.
    engine
        Finds structures.
    largest
        Most nodes of one class's expression.
    seed
        Of all that is drawn: particles, folds and the engine's own seeds.
    threads
        Of one search of the engine.
    targets
        Fit a teacher's logits (`distil`), `labels`, or `both` in turns.
    operators
        That expressions may use, of `engines.BINARY` and `engines.UNARY`.
    """

    def __init__(
        self,
        data: LatentData,
        scaling: LatentScaling,
        engine: SymbolicEngine,
        largest: int,
        seed: int,
        threads: int,
        *,
        targets: Targets = "both",
        operators: tuple[str, ...] = SearchSpec.operators,
    ) -> None:
        self.data, self.engine, self.largest = data, engine, largest
        self.scaling = search_scaling(scaling)
        self.seed, self.threads = seed, threads
        self.targets, self.operators = targets, operators
        self.names = tuple(data.latent_names[j] for j in self.scaling.kept)
        self.heads = (1,) if data.classes == 2 else tuple(range(data.classes))
        generator = np.random.default_rng(seed)
        self.searched = _classes_alike(data.train, MOST_SEARCHED, generator)
        seen, unseen = (
            split.take(np.sort(generator.permutation(len(split))[:MOST_FITTED]))
            for split in (data.train, data.val)
        )
        self.fitted = _joined(seen, unseen)
        # Structures were searched on training particles, which flatters long ones there, so the
        # validation particles, though fewer, count as much in the choice.
        self.counts = particle_weights(np.repeat([0, 1], [len(seen), len(unseen)]))

    def find(self, teacher: Teacher, budget_s: float, tell: Progress) -> FoundEquations:
        """Search, fit and choose within `budget_s` seconds; `tell` hears of the progress."""
        started = time.monotonic()

        def until(share: float) -> Deadline:
            return Deadline(share * budget_s - (time.monotonic() - started))

        searching = until(CUT_SHARE)
        pools, searches, limited = self._run(teacher, budget_s, searching, tell)
        tell("fit equations", 0.75)
        sample = self._sample(teacher)
        candidates: list[list[Candidate]] = []
        for done, (k, pool) in enumerate(zip(self.heads, pools, strict=True), start=1):
            share = 0.8 * (FIT_SHARE - CUT_SHARE) * done / len(self.heads)
            deadline = until(CUT_SHARE + share)
            own = sample if len(self.heads) == 1 else sample.one_vs_rest(k)
            simple = polynomial_laws(
                own, operators=self.operators, largest=self.largest, deadline=deadline
            )
            pool = [*((law, None) for law in simple), *pool]
            candidates.append(head_candidates(pool, own, largest=self.largest, deadline=deadline))
            limited = limited or deadline.hit
        choosing = until(FIT_SHARE)
        folds = draw_folds(self.fitted.labels, self.fitted.groups, seed=self.seed)
        fronts = [pareto_front(each, lambda c: c.size_and_loss) for each in candidates]
        found = pareto_front(
            assemble(fronts, sample, folds, self.counts, largest=self.largest, deadline=choosing),
            lambda model: model.size_and_loss,
        )
        best = choose(found, LOGIT_ERRORS if self.targets == "distil" else LABEL_ERRORS)
        models = [self._model(each, sample) for each in found]
        return FoundEquations(
            tuple(models),
            models[found.index(best)],
            tuple(
                len(searches_that_found(law, pool))
                for law, pool in zip(best.heads, candidates, strict=True)
            ),
            searches,
            limited or choosing.hit,
        )

    def _run(
        self, teacher: Teacher, budget_s: float, deadline: Deadline, tell: Progress
    ) -> tuple[list[list[Find]], int, bool]:
        """Return for each head what each search found, the searches, and whether one was cut."""
        generations, restarts = planned_work(
            budget_s, len(self.heads), len(self.searched), self.largest
        )
        seeds = np.random.default_rng(self.seed).integers(2**31, size=(len(self.heads), restarts))
        latents = self.scaling.apply(self.searched.latents)
        taught = self._taught(teacher, self.searched.latents)
        pools: list[list[Find]] = [[] for _ in self.heads]
        limited = False
        pace = 0.0  # seconds a generation, as measured
        total = len(self.heads) * restarts
        for done in range(total):
            r, h = divmod(done, len(self.heads))
            k = self.heads[h]
            share = deadline.left / (total - done)
            affordable = max(1, math.floor(share / pace)) if pace else generations
            limited = limited or affordable < generations
            tell(f"search {self.data.class_names[k]}", 0.15 + 0.6 * done / total)
            distils = self.targets == "distil" or (self.targets == "both" and r % 2 == 0)
            spec = SearchSpec(
                operators=self.operators,
                max_complexity=self.largest,
                generations=min(generations, affordable),
                time_s=share,
                seed=int(seeds[h, r]),
                threads=self.threads,
                loss="squared" if distils else "logistic",
            )
            target = taught[:, h] if distils else (self.searched.labels == k).astype(float)
            began = time.monotonic()
            front = self.engine.search(latents, target, names=self.names, spec=spec)
            pace = max(pace, (time.monotonic() - began) / spec.generations)
            limited = limited or front.time_limited
            pools[h] += [(c.expression, r) for c in front.found]
        return pools, restarts, limited

    def _model(self, item: Assembled, sample: Sample) -> EquationModel:
        shift, scale = self.scaling.shift.tolist(), self.scaling.scale.tolist()
        names = self.data.latent_names
        heads = round_constants(item.heads, sample)
        if any(shift) or any(s != 1 for s in scale):
            wide = (tidy(unscale(head, names, shift, scale)) for head in heads)
            heads = tuple(snap(head, EXACT_DIGITS) for head in wide)
        return EquationModel(self.data.class_names, names, heads)

    def _sample(self, teacher: Teacher) -> Sample:
        z = self.fitted.latents
        logits = self._taught(teacher, z) if self.targets == "distil" else None
        return Sample(self.scaling.apply(z), self.fitted.labels, self.names, logits).balanced()

    def _taught(self, teacher: Teacher, latents: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return what heads are to copy, clipped, `(n, H)`.

        With two classes the log-odds, else each class's logit above the mean of all, which is what
        the softmax does not tell.
        """
        logits = teacher.logits(latents)
        if len(self.heads) == 1:
            wanted = logits[:, [1]] - logits[:, [0]]
        else:
            wanted = logits - logits.mean(axis=1, keepdims=True)
        return np.clip(wanted, -LARGEST_LOGIT, LARGEST_LOGIT)


def planned_work(budget_s: float, heads: int, rows: int, largest: int) -> tuple[int, int]:
    """Return generations and restarts for each head: fixed work that fits the budget with room.

    Two restarts, one on the teacher's log-odds and one on labels, then more of them before more
    generations.
    """
    rate = GENERATIONS_PER_S * min(1.0, 600 / rows) * min(1.0, 30 / largest)
    total = SEARCH_SHARE * budget_s / heads * rate
    restarts = 4 if total >= 120 else 2
    return max(5, min(200, math.floor(total / restarts))), restarts


def _joined(first: LatentSplit, second: LatentSplit) -> LatentSplit:
    groups = None
    if first.groups is not None and second.groups is not None:
        groups = np.concatenate([first.groups, second.groups])
    return LatentSplit(
        np.concatenate([first.latents, second.latents]),
        np.concatenate([first.labels, second.labels]),
        groups,
    )


def _classes_alike(split: LatentSplit, most: int, generator: np.random.Generator) -> LatentSplit:
    """Return particles of a split, those of rare classes repeated, for engines without weights.

    A class of `n_k` particles is repeated `round(max n / n_k)` times; then at most `most` rows are
    drawn evenly.
    """
    counts = np.bincount(split.labels)
    times = np.round(counts.max() / np.maximum(counts, 1)).astype(np.int64)
    rows = np.repeat(np.arange(len(split)), times[split.labels])
    chosen = rows[np.sort(generator.permutation(len(rows))[:most])]
    return split.take(chosen)
