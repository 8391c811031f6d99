"""The registry's gate: candidate and champion on the same particles that neither was trained on.

An alias moves only if the candidate is shown to be worse by no more than a margin, on at least
`FEWEST_PARTICLES`; what cannot be compared does not move it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import mlflow
import numpy as np
from mlflow.entities import Run
from numpy.typing import NDArray

from latentlaw.data.particles.loading import Particles
from latentlaw.data.particles.splits import TEST
from latentlaw.data.particles.stack import ParticleStack, open_stack
from latentlaw.data.particles.tasks import task_labels
from latentlaw.errors import DataError, LatentlawError
from latentlaw.evaluation.embed import check_finite, embed
from latentlaw.evaluation.scores.comparison import (
    Answers,
    Comparison,
    Measure,
    Score,
    compare,
    is_not_worse,
    score,
)
from latentlaw.serving.bundle import Bundle
from latentlaw.serving.log import load_logged_bundle
from latentlaw.serving.prediction.checks import check_shape, check_voxel_size
from latentlaw.tracking.reading.logged import source_run
from latentlaw.tracking.reading.origins import stack_of
from latentlaw.tracking.reading.splits import SplitOf, split_of

Rows = NDArray[np.intp]
#: Of fewer, even two models that always agree may differ by 6 % (upper end 3/n; Hanley &
#: Lippman-Hand 1983, J. Am. Med. Assoc. 249, 1743).
FEWEST_PARTICLES = 50
_SAW = {
    "this": "",
    "before": "was trained on this stack before it was changed",
    "another": "never saw this stack",
}


@dataclass(frozen=True)
class Contender:
    """A model, and what of a stack it may be measured on.

    Attributes
    ----------
    name
        As messages call it.
    truth
        Class of each particle `(n,)` in the model's own task, empty where there is none.
    split
        Which particles it was trained on.
    """

    name: str
    run: Run
    bundle: Bundle
    truth: NDArray[np.str_]
    split: SplitOf

    @property
    def held_out(self) -> NDArray[np.bool_]:
        """Whether a particle is of a class of the model, and was not trained on, `(n,)`."""
        known = np.isin(self.truth, self.bundle.class_names)
        return np.asarray(known & (self.split.split == TEST))


@dataclass(frozen=True)
class Measured:
    """A candidate and its answers on the held-out particles `rows` `(m,)` of a stack."""

    candidate: Contender
    stack: ParticleStack
    rows: Rows
    answers: Answers
    seed: int

    @property
    def truth(self) -> NDArray[np.str_]:
        """Classes of the held-out particles, `(m,)`."""
        return self.candidate.truth[self.rows]

    @property
    def groups(self) -> NDArray[np.str_]:
        """Groups of the held-out particles, `(m,)`."""
        return self.stack.table["group"].to_numpy(dtype=str)[self.rows]

    def score(self, measure: Measure) -> Score:
        """Measure the candidate on all its held-out particles."""
        return score(measure, self.truth, self.answers, self.groups, seed=self.seed)


@dataclass(frozen=True)
class Verdict:
    """Whether the alias moves, and why, in one sentence with the numbers."""

    promoted: bool
    reason: str


def measured(run_id: str, data: str | None = None, *, seed: int = 0) -> Measured:
    """Let the model of a run answer on particles that it was not trained on.

    Parameters
    ----------
    run_id
        Of the run that logged it.
    data
        Particle stack; None: the one that the run was made from.
    seed
        Of the draws of intervals.

    Raises
    ------
    RegistryError
        If there is no such run or model.
    CheckpointError
        If the model's files are damaged.
    DataError
        If the stack or the split is gone or was changed, or no particle is held out.
    """
    run = mlflow.get_run(source_run(run_id))
    stack = open_stack(data) if data is not None else _own_stack(run)
    candidate = _contender(f"run {run_id[:8]}", run_id, stack)
    rows = np.flatnonzero(candidate.held_out)
    if not len(rows):
        raise DataError(
            f"{stack.path}: found no particle of the classes "
            f"{', '.join(candidate.bundle.class_names)} that run {run_id} was not trained on; "
            "give a stack with some by `data`"
        )
    return Measured(candidate, stack, rows, _answers(candidate, stack, rows), seed)


def judge(found: Measured, holder: str | None, measure: Measure, margin: float) -> Verdict:
    """Decide whether the alias moves from the version that holds it to the candidate.

    Parameters
    ----------
    found
        The candidate, and its answers on held-out particles.
    holder
        `models:/NAME/VERSION`; None: no version holds the alias, and it moves.
    measure
        By which the two are compared.
    margin
        How much worse the candidate may be, at the lower end of the 95 % interval.
    """
    if holder is None:
        alone = found.score(measure)
        told = _where(alone, [found.candidate], found.stack)
        return Verdict(True, f"no version held it; {measure} {alone.value} on {told}")
    name = f"version {holder.rsplit('/', 1)[-1]}"
    try:
        champion = _contender(name, holder, found.stack)
    except LatentlawError as error:
        told = f"{name}, which holds it, cannot be compared with: {error}"
        return Verdict(False, f"{told}; `rollback` goes from a damaged version to one before it")
    rows = np.flatnonzero(found.candidate.held_out & champion.held_out)
    obstacle = _obstacle(found.candidate, champion, len(rows), found.stack)
    if obstacle is not None:
        return Verdict(False, obstacle)
    shared = np.isin(found.rows, rows)
    comparison = compare(
        measure,
        found.truth[shared],
        Answers(found.answers.predicted[shared], found.answers.mu[shared]),
        _answers(champion, found.stack, rows),
        found.groups[shared],
        seed=found.seed,
    )
    where = _where(comparison.first, [found.candidate, champion], found.stack)
    return _verdict(comparison, margin, name, where)


def _verdict(found: Comparison, margin: float, champion: str, where: str) -> Verdict:
    told = (
        f"{found.first.measure} {found.first.value} against {found.second.value} of {champion} "
        f"on {where}; the difference is {found.difference}"
    )
    if is_not_worse(found.difference, margin):
        return Verdict(True, f"{told}, at worst within the margin of {margin:g}")
    if found.difference.high < 0:
        return Verdict(False, f"{told}, so it is worse")
    return Verdict(
        False,
        f"{told}, so it may be worse by more than the margin of {margin:g}; measure on more "
        "particles by `data`, or allow a larger `margin`",
    )


def _obstacle(
    candidate: Contender, champion: Contender, common: int, stack: ParticleStack
) -> str | None:
    """Say why two models cannot be compared, if so."""
    ours, theirs = (set(each.bundle.class_names) for each in (candidate, champion))
    if ours != theirs:
        apart = (
            f"{', '.join(sorted(some)) or 'no class'} of {whose} alone"
            for some, whose in ((ours - theirs, "the candidate"), (theirs - ours, champion.name))
        )
        return (
            f"{champion.name}, which holds it, tells other classes apart ({'; '.join(apart)}), so "
            "that no measure compares the two; register under another `name`"
        )
    known = np.isin(candidate.truth, list(ours)) & np.isin(champion.truth, list(ours))
    if differ := int((known & (candidate.truth != champion.truth)).sum()):
        return (
            f"{champion.name}, which holds it, calls other particles by the same class names "
            f"({differ} of {Path(stack.path).name}); register under another `name`"
        )
    if common < FEWEST_PARTICLES:
        return (
            f"found {common} particles that neither the candidate nor {champion.name} was trained "
            f"on, expected at least {FEWEST_PARTICLES}; give a stack with more by `data`"
        )
    return None


def _contender(name: str, model: str, stack: ParticleStack) -> Contender:
    """Load a model, and find out what it may be measured on."""
    run = mlflow.get_run(source_run(model))
    bundle = load_logged_bundle(model)
    check_shape(bundle.model.config, stack.item_shape, stack.path)
    check_voxel_size(bundle.model.config, stack.voxel_size_a, stack.path)
    truth = stack.table["label"].fillna("").to_numpy(dtype=str)
    task = run.data.params.get("classes", "none")
    if task.casefold() != "none":
        truth = task_labels(truth, task)
    return Contender(name, run, bundle, truth, split_of(model, stack))


def _answers(model: Contender, stack: ParticleStack, rows: Rows) -> Answers:
    mu = embed(model.bundle.model, Particles.unlabelled(stack.images, rows)).mu
    check_finite(mu)
    names = np.array(model.bundle.class_names)
    return Answers(names[model.bundle.probabilities(mu).argmax(axis=1)], mu)


def _own_stack(run: Run) -> ParticleStack:
    """Open the stack that a run was made from, if it is there as it was."""
    made_from = stack_of(run)
    if made_from is None:
        raise DataError(
            f"run {run.info.run_id}: found no particle stack among its inputs, expected one to "
            "measure on; give it by `data`"
        )
    try:
        stack = open_stack(made_from.path)
    except DataError as error:
        raise DataError(
            f"run {run.info.run_id}: the stack that it was made from cannot be opened ({error}); "
            "put it back, or give another by `data`"
        ) from error
    if stack.digest != made_from.digest:
        raise DataError(
            f"{made_from.path}: found digest {stack.digest[:12]}…, expected "
            f"{made_from.digest[:12]}… of run {run.info.run_id}: it was changed since; to measure "
            f"on it as it is, say so by `data={made_from.path}`"
        )
    return stack


def _where(found: Score, models: Sequence[Contender], stack: ParticleStack) -> str:
    """Say what a score was measured on."""
    whose = "it was not" if len(models) == 1 else "neither was"
    text = f"{counted(found.particles, 'particle')} of {counted(found.groups, 'group')} of "
    text += f"{Path(stack.path).name} that {whose} trained on"
    if found.drawn == "particle":
        text += " (few groups, so particles are drawn)"
    notes = [f"{each.name} {_SAW[each.split.saw]}" for each in models if _SAW[each.split.saw]]
    return text + "".join(f"; {note}" for note in notes)


def counted(n: int, noun: str) -> str:
    """Write a number with its noun."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
