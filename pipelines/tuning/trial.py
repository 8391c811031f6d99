"""A trial of `tune`: trains with the parameters that were drawn, and measures on validation data.

`python -m pipelines.tuning.trial` is the process that trials are forked from.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import torch
from latentlaw.discovery.discover import discover_laws
from latentlaw.evaluation.embed import embed
from latentlaw.evaluation.validation import validation_measures, without_test
from latentlaw.serving.bundle import Bundle
from latentlaw.tracking.names import on_validation
from latentlaw.tracking.recording.epochs import EpochLogger
from latentlaw.tracking.recording.runs import configure_tracking, stage_run
from latentlaw.tuning.objectives import LAWS, LOSSES
from latentlaw.tuning.runs import TRIAL_STAGE
from latentlaw.tuning.server import Report, Request, serve

from pipelines.cli.command import quiet, use_threads
from pipelines.cli.parameters import build
from pipelines.discovery.latents import latent_data
from pipelines.discovery.parameters import Discover
from pipelines.training.fitting import Setup, log_set_up, set_up, train_bundle, trained_head
from pipelines.training.parameters import Train, check

OF_DISCOVER = "discover."


def run_trial(request: Request, report: Report) -> dict[str, float]:
    """Train, measure what the study asks for, and return it.

    Parameters
    ----------
    request
        Its parameters are those of `train` and, after `discover.`, of `discover`.
    report
        Told of the first objective after each epoch; raises where the trial is pruned.
    """
    quiet()
    configure_tracking()
    p, told = parameters({**request.values, **request.drawn})
    check(p)
    with stage_run(TRIAL_STAGE, p.model_dump(), run_id=request.run_id):
        threads = use_threads()
        made = set_up(p)
        log_set_up(p, made)
        epochs: list[dict[str, float]] = []
        with EpochLogger(request.run_id) as log:

            def on_epoch(epoch: int, metrics: dict[str, float]) -> None:
                epochs.append(metrics)
                if not request.prunable:
                    log(epoch, metrics)
                    return
                measures = metrics | _measures(made, p.seed)
                shown = {name: measures[name] for name in request.objectives if name in measures}
                log(epoch, metrics | {on_validation(k): v for k, v in shown.items()})
                for value in shown.values():
                    report(epoch, value)

            bundle, best = train_bundle(p, made, on_epoch, None)
        found = {name: epochs[best][name] for name in LOSSES}
        found |= _measures(made, p.seed) | {"trial/threads": torch.get_num_threads()}
        if set(request.objectives) & set(LAWS):
            found |= _laws(made, bundle, told, threads)
        return found


def parameters(values: Mapping[str, Any]) -> tuple[Train, dict[str, Any]]:
    """Return the parameters of `train`, checked, and those of `discover` by their own names."""
    of_train = {k: v for k, v in values.items() if not k.startswith(OF_DISCOVER)}
    of_discover = {
        k.removeprefix(OF_DISCOVER): v for k, v in values.items() if k.startswith(OF_DISCOVER)
    }
    return build(Train, of_train), of_discover


def _measures(made: Setup, seed: int) -> dict[str, float]:
    head = trained_head(made.model, made.data)
    return validation_measures(made.model, head, made.data, affinity=made.matrix, seed=seed)


def _laws(made: Setup, bundle: Bundle, told: Mapping[str, Any], threads: int) -> dict[str, float]:
    """Search for equations; validation particles score what a part of training chose."""
    p = build(Discover, {"model": "", "data": str(made.stack.path), **told})
    groups = made.stack.table["group"].to_numpy(dtype=str)
    data = without_test(made.data, groups, made.training.seed)
    codes = embed(bundle.model, data.images)
    found = discover_laws(
        latent_data(data, codes, pd.factorize(groups)[0]),
        engine=p.engine,
        budget_s=p.budget_s,
        max_complexity=p.max_complexity,
        targets=p.targets,
        seed=made.training.seed,
        threads=threads,
    )
    return {name: found.metrics[name] for name in LAWS}


if __name__ == "__main__":
    serve(run_trial)
