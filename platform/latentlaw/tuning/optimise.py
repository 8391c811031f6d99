"""The loop of a study: asks for trials as there is room, until it has as many as are wanted."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait

import optuna
from dask import distributed
from optuna.distributions import BaseDistribution
from optuna.storages import fail_stale_trials
from optuna.trial import TrialState

from latentlaw.tuning.pool import Pool
from latentlaw.tuning.study import count_trials, open_study, storage_of
from latentlaw.tuning.supervise import RUN_ID, Drawn, Task, supervise


def optimise(
    task: Task,
    pool: Pool,
    distributions: Mapping[str, BaseDistribution],
    *,
    trials: int,
    timeout_s: float | None = None,
    say: Callable[[str], None],
) -> None:
    """Run trials until the study has `trials`, and none runs.

    Parameters
    ----------
    task
        What all trials have in common.
    pool
        Runs them, as many at once as it has slots.
    distributions
        What a trial draws its parameters from, by name.
    trials
        Those that the study has already count.
    timeout_s
        After which no trial begins.
    say
        Told a line on each trial that ended.
    """
    study, beat_s = open_study(task.study), task.study.beat_s
    deadline = time.monotonic() + timeout_s if timeout_s is not None else float("inf")
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        # One that died before its first beat would never be missed. If it lives, no harm is done.
        storage_of(task.study).record_heartbeat(trial._trial_id)
    running: dict[Future[str], Drawn] = {}
    while True:
        for drawn in running.values():
            _beat_until_begun(study, task, drawn)
        fail_stale_trials(study)
        while len(running) < pool.slots and time.monotonic() < deadline:
            following = _next(study, task, distributions, trials)
            if following is None:
                break
            running[pool.executor.submit(supervise, task, following, pool.key)] = following
        if running:
            for future in wait(running, timeout=beat_s, return_when=FIRST_COMPLETED).done:
                del running[future]
                say(_line(future))
        elif study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            time.sleep(beat_s)  # somebody else's, or dead and not yet missed
        else:
            return


def _beat_until_begun(study: optuna.Study, task: Task, drawn: Drawn) -> None:
    """Give a sign of life for a trial that waits for a worker; its supervisor does later."""
    trial = study.get_trials(deepcopy=False)[drawn.number]
    if trial.state == TrialState.RUNNING and RUN_ID not in trial.user_attrs:
        storage_of(task.study).record_heartbeat(drawn.trial_id)


def _next(
    study: optuna.Study,
    task: Task,
    distributions: Mapping[str, BaseDistribution],
    trials: int,
) -> Drawn | None:
    """Ask for a trial: one that waits to be run again, or else a new one if one is wanted."""
    waiting = study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
    if not waiting and count_trials(study) >= trials:
        return None
    trial = study.ask(dict(distributions))
    storage_of(task.study).record_heartbeat(trial._trial_id)
    return Drawn(trial._trial_id, trial.number, trial.params)


def _line(future: Future[str]) -> str:
    try:
        return future.result()
    except distributed.KilledWorker as error:
        return f"a worker died, and then others at the same trial ({error})"
