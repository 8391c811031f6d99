"""A tracking store of any number of runs, written straight into MLflow's tables in seconds."""

import json
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from latentlaw.tracking import names
from mlflow import MlflowClient

START_MS = 1_780_000_000_000
FAMILIES = ("affinity-vae", "beta-vae", "tc-vae", "autoencoder")
# As a study and its retraining leave them: for each evaluation many trials.
STAGES = ("train", "evaluate", "discover", "trial", "trial", "trial", "trial", "trial")
STATUSES = ("FINISHED",) * 8 + ("FAILED", "KILLED")
EPOCHS = 5
_DIGESTS = 20


def many_runs(folder: Path, count: int) -> str:
    """Return the URI of a store of `count` runs in `folder`, made there if it is not yet whole."""
    whole = folder / f"runs_{count}.db"
    if not whole.exists():
        folder.mkdir(parents=True, exist_ok=True)
        part = whole.with_suffix(".part")
        part.unlink(missing_ok=True)
        uri = f"sqlite:///{part}"
        location = (folder / "artifacts").as_uri()
        experiment = MlflowClient(uri).create_experiment(names.EXPERIMENT, location)
        _fill(part, int(experiment), location, count)
        shutil.move(part, whole)
    return f"sqlite:///{whole}"


def _fill(database: Path, experiment: int, location: str, count: int) -> None:
    rng = np.random.default_rng(0)
    rows: dict[str, list[tuple[Any, ...]]] = {}
    for number in range(count):
        for table, row in _run(number, experiment, location, rng):
            rows.setdefault(table, []).append(row)
    for number in range(_DIGESTS):
        row = (f"{number:032x}", experiment, _stack(number), _digest(number), "local")
        rows.setdefault("datasets", []).append((*row, json.dumps({"uri": _stack(number)}), "", ""))
    with sqlite3.connect(database) as connection:
        for table, many in rows.items():
            marks = ", ".join("?" * len(many[0]))
            insert = f"INSERT INTO {table} VALUES ({marks})"  # noqa: S608 - tables named here
            connection.executemany(insert, many)
    connection.close()


def _run(
    number: int, experiment: int, location: str, rng: np.random.Generator
) -> Iterator[tuple[str, tuple[Any, ...]]]:
    run_id = f"{number:032x}"
    stage, status = STAGES[number % len(STAGES)], STATUSES[number % len(STATUSES)]
    family, data = FAMILIES[number % len(FAMILIES)], number % _DIGESTS
    began = START_MS + number * 60_000
    name = f"trial {number}" if stage == "trial" else stage
    # In the order of the columns of MLflow's tables.
    where = (f"{location}/{run_id}/artifacts", experiment, None)
    ended = began + 50_000
    yield (
        "runs",
        (run_id, name, "LOCAL", "", "", "me", status, began, ended, "", "active", *where),
    )
    tags = {
        names.TAG_STAGE: stage,
        names.TAG_MODEL_FAMILY: family,
        names.TAG_DATA_DIGEST: _digest(data),
        "mlflow.runName": name,
        "mlflow.user": "me",
        "mlflow.source.name": "pipelines",
    }
    for key, value in tags.items():
        yield "tags", (key, value, run_id)
    for key in ("seed", "beta", "gamma", "latent_dims", "epochs", "learning_rate", "batch_size"):
        yield "params", (key, f"{rng.integers(1, 9)}", run_id)
    yield "inputs", (f"i{number:031x}", "DATASET", f"{data:032x}", "RUN", run_id, 0)
    yield "input_tags", (f"i{number:031x}", "mlflow.data.context", "training")
    curve = rng.random() + np.exp(-np.arange(EPOCHS) / 2)
    for key in ("train/loss", "val/loss", "val/kl"):
        for epoch, value in enumerate(curve):
            yield "metrics", (key, float(value), began + epoch, run_id, epoch, False)
        yield "latest_metrics", (key, float(curve[-1]), began, EPOCHS - 1, False, run_id)
    for key in ("classification/accuracy", "separation/silhouette", "discovery/accuracy_ratio"):
        value = float(rng.random())
        yield "metrics", (key, value, began, run_id, 0, False)
        yield "latest_metrics", (key, value, began, 0, False, run_id)


def _stack(number: int) -> str:
    return f"stack_{number}.particles.zarr"


def _digest(number: int) -> str:
    return f"{(number + 1) * 0x9E3779B97F4A7C15 % 2**64:016x}"
