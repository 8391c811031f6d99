"""Versions and studies for the dashboard's tests, as `register` and `tune` leave them."""

import mlflow
import numpy as np
import pandas as pd
from latentlaw.serving.log import log_bundle
from latentlaw.tracking import names

from tests.bundles import tiny_bundle
from tests.dashboards.dashboard_store import Store


def add_model(store: Store, box: int = 8) -> str:
    """Log a tiny model of volumes with a law and register it as the champion of `tiny`."""
    run = store.add("discover", model_family="affinity-vae")
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(store.uri)
    try:
        with mlflow.start_run(run_id=run):
            uri = log_bundle(tiny_bundle(box), np.zeros((1, 1, box, box, box), np.float32))
        version = mlflow.register_model(uri, "tiny").version
        store.client.set_registered_model_alias("tiny", "champion", version)
    finally:
        mlflow.set_tracking_uri(before)
    return run


def add_version(store: Store, *, description: str = "", **tags: str) -> str:
    """Register a run of discover, as `register` does."""
    run = store.add("discover", model_family="affinity-vae")
    if "m" not in [m.name for m in store.client.search_registered_models()]:
        store.client.create_registered_model("m")
    version = store.client.create_model_version(
        "m",
        f"runs:/{run}/model",
        run,
        tags={f"latentlaw.{key}": value for key, value in tags.items()},
        description=description,
    )
    return str(version.version)


def add_study(store: Store, *, whole: bool = True) -> str:
    """Make a run of tune of two objectives, which has ended or is under way."""
    run = store.add("tune", model_family="affinity-vae")
    space = {"beta": {"type": "float", "log": True}, "schedule": {"type": "categorical"}}
    store.put(run, names.STUDY, {"space": space})
    importance = {"beta": 0.75, "schedule": 0.25}
    records = [
        {"name": "classification/macro_f1", "direction": "maximize", "importance": importance},
        {"name": "discovery/equation_complexity", "direction": "minimize", "importance": {}},
    ]
    store.put(run, names.OBJECTIVES, records)
    values = [(0.5, 10), (0.9, 40), (0.8, 50), (0.9, 30)]
    if whole:
        table = pd.DataFrame(values, columns=[each["name"] for each in records])
        table.insert(0, "trial", range(4))
        table["state"] = "COMPLETE"
        table["beta"], table["schedule"] = [1e-4, 1e-3, 1e-2, 1e-1], ["ramp"] * 3 + ["constant"]
        table.loc[4] = [4, None, None, "FAIL", 1e-3, "ramp"]
        store.put(run, names.TRIALS, table.to_csv(index=False).encode())
        store.end(run)
        return run
    for number, (score, nodes) in enumerate(values):
        trial = store.add("trial", parent=run)
        store.client.update_run(trial, name=f"trial {number}")
        measured = {"val/classification/macro_f1": score}
        measured |= {"val/discovery/equation_complexity": nodes}
        store.log(trial, params={"beta": 0.1 / (number + 1), "schedule": "ramp"}, metrics=measured)
        if number < 3:
            store.end(trial)
    return run
