"""Discover laws: trees, networks, sparse networks and equations on one latent space, one frontier.

Choices (early stopping, strengths, expressions, their size) use the training and validation
splits; every reported score is on the test split.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from latentlaw.discovery.baselines.boosting import BoostedTrees, fit_boosting
from latentlaw.discovery.equations.expressions import complexity, latents_of, to_latex, to_text
from latentlaw.discovery.frontier import Rung, black_box, model_rung
from latentlaw.discovery.latents import LatentData, check_latents
from latentlaw.discovery.networks.dense import LatentNetwork, fit_dense, fit_logistic
from latentlaw.discovery.networks.sparse import SparseMethod, SparseModel, fit_sparse
from latentlaw.discovery.scores import balanced_log_loss, log_losses, one_vs_rest_accuracy
from latentlaw.discovery.search.engines.engine import SearchSpec
from latentlaw.discovery.search.engines.selection import select_engine
from latentlaw.discovery.search.equation_search import TARGETS, EquationSearch
from latentlaw.discovery.threads import one_thread
from latentlaw.errors import ConfigError, nearest_hint

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from latentlaw.discovery.equations.model import EquationModel
    from latentlaw.discovery.frontier import Scorer
    from latentlaw.discovery.search.equation_search import FoundEquations, Targets

    Progress = Callable[[str, float], None]

SMALLEST_COMPLEXITY, LARGEST_COMPLEXITY = 3, 100


@dataclass(frozen=True)
class Equation:
    """One class's expression; `accuracy` is one-vs-rest, of the whole model's decision on test.

    The law was found by `times` of `searches` independent searches.
    """

    class_name: str
    expression: str
    latex: str
    complexity: int
    accuracy: float
    latents: tuple[str, ...]
    times: int
    searches: int

    def to_dict(self, meanings: Mapping[str, str | None]) -> dict[str, Any]:
        """Return the record of `equations.json`, with what each latent in it means."""
        return {
            "class": self.class_name,
            "expression": self.expression,
            "latex": self.latex,
            "complexity": self.complexity,
            "accuracy": self.accuracy,
            "latents": {name: meanings.get(name) for name in self.latents},
            "found": {"times": self.times, "of": self.searches},
        }


@dataclass(frozen=True)
class Discovery:
    """What was found: the frontier, the chosen equations, the models and how they were made.

    `model` is the one of `equation_models`, smallest first, that was chosen.
    """

    rungs: tuple[Rung, ...]
    black_box: Rung | None
    equation: Rung
    equations: tuple[Equation, ...]
    model: EquationModel
    equation_models: tuple[EquationModel, ...]
    dense: LatentNetwork
    sparse: tuple[SparseModel, ...]
    engine: str
    engine_reason: str
    time_limited: bool
    dropped: tuple[str, ...]
    metrics: dict[str, float]

    def frontier_records(self) -> list[dict[str, Any]]:
        """Return the list of `frontier.json`."""
        return [rung.to_dict() for rung in self.rungs]

    def equation_records(
        self, meanings: Mapping[str, str | None] | None = None
    ) -> list[dict[str, Any]]:
        """Return the list of `equations.json`; `meanings` are names of latents, where known."""
        return [equation.to_dict(meanings or {}) for equation in self.equations]


def discover_laws(
    data: LatentData,
    *,
    engine: str = "auto",
    budget_s: float = 60,
    max_complexity: int = 30,
    targets: Targets = "both",
    operators: Sequence[str] = SearchSpec.operators,
    sparse_method: SparseMethod = "magnitude",
    seed: int = 0,
    threads: int = 2,
    extra_rungs: Sequence[Rung] = (),
    progress: Progress | None = None,
) -> Discovery:
    """Fit every family on `data` and return the frontier and the equations.

    Parameters
    ----------
    data
        Latents and labels of training, validation and test particles.
    engine
        `auto`, `operon` or `pysr`.
    budget_s
        Seconds for the equations: their search, refits and choice; the networks that they are
        compared with come on top. The work is fixed from the budget and the data's size, so a seed
        repeats; every step is also capped by the clock, and `Discovery.time_limited` says if that
        cut one.
    max_complexity
        Most nodes of one class's expression.
    targets
        What equations are fitted to: the logits of the better network on validation (`distil`,
        which explains the model), `labels` under the logistic loss (which explains the data), or
        `both`: searches take turns, and constants are fitted to labels.
    operators
        Operators that expressions may use: names in `engines.BINARY` and `engines.UNARY`.
    sparse_method
        How the sparse networks are found, `magnitude` or `rigl`.
    seed
        Of all that is drawn: first weights, searches and folds.
    threads
        Of one search of the engine.
    extra_rungs
        Rungs computed elsewhere. Of families `cnn` and `resnet` the better one on validation is
        the black box of the accuracy ratio.
    progress
        Called with a step's name and the share of the work done, 0 to 1.

    Raises
    ------
    DataError
        If the latents cannot be used; see `check_latents`.
    ConfigError
        If an option is out of range.
    EngineError
        If the engine cannot run here.
    """
    _check_options(budget_s, max_complexity, threads, targets)
    spec = SearchSpec(operators=tuple(operators))
    scaling, dropped = check_latents(data)
    chosen_engine, reason = select_engine(engine)
    tell = progress or (lambda _step, _share: None)
    started = time.monotonic()
    tell("dense", 0.0)
    with one_thread():
        dense = fit_dense(data, scaling, seed=seed)
        logistic = fit_logistic(data, scaling, seed=seed)
        boosting = fit_boosting(data, seed=seed)
        tell("sparse", 0.05)
        sparse = fit_sparse(data, scaling, method=sparse_method, seed=seed)
        searching = time.monotonic()
        search = EquationSearch(
            data,
            scaling,
            chosen_engine,
            max_complexity,
            seed,
            threads,
            targets=targets,
            operators=spec.operators,
        )
        teacher = min((dense, logistic), key=lambda net: _val_loss(net, data))
        found = search.find(teacher, budget_s, tell)
        searched_s = time.monotonic() - searching
    model = found.chosen
    rungs = (*extra_rungs, *_rungs(data, dense, logistic, boosting, sparse, found.models))
    chosen = model_rung(data, model, "equation", "")
    best = black_box(extra_rungs)
    metrics = _metrics(data, model, dense, chosen, best)
    metrics["discovery/equation_seconds"] = searched_s
    metrics["discovery/seconds"] = time.monotonic() - started
    tell("done", 1.0)
    return Discovery(
        rungs=rungs,
        black_box=best,
        equation=chosen,
        equations=_equations(data, found),
        model=model,
        equation_models=found.models,
        dense=dense,
        sparse=tuple(sparse),
        engine=chosen_engine.name,
        engine_reason=reason,
        time_limited=found.time_limited,
        dropped=dropped,
        metrics=metrics,
    )


def _check_options(budget_s: float, max_complexity: int, threads: int, targets: str) -> None:
    if not 0 < budget_s < float("inf"):
        raise ConfigError(f"budget_s: found {budget_s}, expected seconds above 0")
    if not SMALLEST_COMPLEXITY <= max_complexity <= LARGEST_COMPLEXITY:
        raise ConfigError(
            f"max_complexity: found {max_complexity}, expected {SMALLEST_COMPLEXITY} to "
            f"{LARGEST_COMPLEXITY} nodes per expression"
        )
    if threads < 1:
        raise ConfigError(f"threads: found {threads}, expected 1 or more")
    if targets not in TARGETS:
        raise ConfigError(
            f"targets: found {targets!r}{nearest_hint(targets, TARGETS)}, expected one of "
            f"{', '.join(TARGETS)}"
        )


def _val_loss(net: LatentNetwork, data: LatentData) -> float:
    return balanced_log_loss(net.logits(data.val.latents), data.val.labels, data.class_weights)


def _rungs(
    data: LatentData,
    dense: LatentNetwork,
    logistic: LatentNetwork,
    boosting: BoostedTrees,
    sparse: Sequence[SparseModel],
    equations: Sequence[EquationModel],
) -> list[Rung]:
    named: list[tuple[str, str, Scorer]] = [
        ("boosting", "boosted trees", boosting),
        ("dense", "dense network", dense),
        ("logistic", "logistic regression", logistic),
        *(("sparse", f"sparse, {m.budget} weights", m.network) for m in sparse),
        *(("equation", f"equations, {m.complexity} nodes", m) for m in equations),
    ]
    rungs = [model_rung(data, model, family, name) for family, name, model in named]
    first = len(rungs) - len(equations)
    return rungs[:first] + [
        replace(rung, expressions=_texts(model))
        for rung, model in zip(rungs[first:], equations, strict=True)
    ]


def _texts(model: EquationModel) -> tuple[tuple[str, str], ...]:
    texts = (to_text(expression) for expression in model.expressions)
    return tuple(zip(model.class_names, texts, strict=True))


def _equations(data: LatentData, found: FoundEquations) -> tuple[Equation, ...]:
    model = found.chosen
    predicted = model.predict(data.test.latents)
    times = found.times * 2 if data.classes == 2 else found.times  # one law and its negative
    return tuple(
        Equation(
            name,
            to_text(expression),
            to_latex(expression),
            complexity(expression),
            one_vs_rest_accuracy(predicted, data.test.labels, k),
            latents_of(expression),
            times[k],
            found.searches,
        )
        for k, (name, expression) in enumerate(
            zip(model.class_names, model.expressions, strict=True)
        )
    )


def _metrics(
    data: LatentData,
    model: EquationModel,
    dense: LatentNetwork,
    rung: Rung,
    best: Rung | None,
) -> dict[str, float]:
    latents, labels = data.test.latents, data.test.labels
    agreement = model.predict(latents) == dense.logits(latents).argmax(axis=1)
    metrics = {
        "discovery/equation_accuracy": rung.accuracy,
        "discovery/equation_macro_f1": rung.macro_f1,
        "discovery/equation_balanced_accuracy": rung.balanced_accuracy,
        "discovery/equation_log_loss": float(log_losses(model.logits(latents), labels).mean()),
        "discovery/equation_complexity": float(model.complexity),
        "discovery/equation_complexity_largest": float(max(map(complexity, model.expressions))),
        "discovery/equation_latents": float(len(model.latents)),
        "discovery/equation_nan_rate": model.nan_rate(latents),
        "discovery/fidelity_to_dense": float(agreement.mean()),
    }
    if best is not None:
        metrics["discovery/blackbox_accuracy"] = best.accuracy
        metrics["discovery/blackbox_complexity"] = float(best.complexity)
        if best.accuracy > 0:
            metrics["discovery/accuracy_ratio"] = rung.accuracy / best.accuracy
    return metrics
