"""A run that another experiment holds is gone on with, as the trials of a study are."""

import mlflow
from latentlaw.tracking.names import EXPERIMENT
from latentlaw.tracking.recording.runs import stage_run


def test_a_run_of_another_experiment_goes_on_there(tracking_store):
    other = tracking_store.create_experiment("other")
    begun = tracking_store.create_run(other).info.run_id
    with stage_run("trial", {"a": 1}, run_id=begun) as active:
        assert active.info.run_id == begun
    assert tracking_store.get_run(begun).info.experiment_id == other
    with stage_run("train", {}) as fresh:
        assert fresh.info.run_id != begun
    home = tracking_store.get_experiment_by_name(EXPERIMENT).experiment_id
    assert tracking_store.get_run(fresh.info.run_id).info.experiment_id == home
    assert mlflow.active_run() is None
