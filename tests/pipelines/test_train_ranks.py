"""`train` in two processes, as `torchrun` starts them: one run, stopped and gone on with alone."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from latentlaw.data.particles.writer import new_stack
from latentlaw.tracking.names import TAG_RESUME
from mlflow.tracking import MlflowClient

ROOT = Path(__file__).parents[2]
EPOCHS = 25


def test_two_processes_make_one_run_that_one_goes_on_with(
    tmp_path: Path, tracking_folder: Path, entry: Callable[..., int]
) -> None:
    data, kept = tmp_path / "s.particles.zarr", tmp_path / "kept"
    with new_stack(data, item_shape=(1, 8, 8)) as writer:
        table = pd.DataFrame({"label": ["a", "b"] * 20, "group": np.arange(40).astype(str)})
        writer.append(np.random.default_rng(0).normal(size=(40, 1, 8, 8)), table)
    own = {"data": data, "model": "tc-vae", "epochs": EPOCHS, "channels": 2, "device": "cpu"}
    told = own | {"checkpoints": kept, "checkpoint_every": 0}
    command = [part for key, value in told.items() for part in (f"--{key}", str(value))]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shared = os.environ | {
        "MLFLOW_TRACKING_URI": f"sqlite:///{tracking_folder}/mlflow.db",
        "PYTHONPATH": f"{ROOT}/platform:{ROOT}",
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "pipelines.train", *command],
            cwd=tracking_folder,
            env=shared | {"RANK": str(rank)},
        )
        for rank in range(2)
    ]
    try:
        while not any(kept.glob("0000001[0-9]")):
            assert [process.poll() for process in running] == [None, None]
            time.sleep(0.01)
        running[1].send_signal(signal.SIGTERM)
        assert [process.wait(120) for process in running] == [75, 75]
    finally:
        for process in running:
            process.kill()

    client = MlflowClient(f"sqlite:///{tracking_folder}/mlflow.db")
    experiment = client.get_experiment_by_name("latentlaw")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id], f"params.data = '{data}'")
    assert run.info.status == "KILLED"
    assert run.data.tags[TAG_RESUME] == str(kept)
    assert entry("train", **own, resume=kept) == 0
    (run,) = client.search_runs([experiment.experiment_id], f"params.data = '{data}'")
    assert run.info.status == "FINISHED"
    history = client.get_metric_history(run.info.run_id, "train/loss")
    assert [metric.step for metric in history] == list(range(EPOCHS))
