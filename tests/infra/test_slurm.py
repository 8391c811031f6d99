"""The SLURM template, run with stand-ins for `srun` and `scontrol`: stopped, queued, gone on."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from latentlaw.data.stack_writer import new_stack
from mlflow.tracking import MlflowClient

ROOT = Path(__file__).parents[2]
EPOCHS = 15


@pytest.mark.infra
@pytest.mark.timeout(600)
def test_training_is_queued_again_and_goes_on(tmp_path: Path) -> None:
    with new_stack(tmp_path / "s.particles.zarr", item_shape=(1, 8, 8)) as writer:
        table = pd.DataFrame({"label": ["a", "b"] * 20, "group": np.arange(40).astype(str)})
        writer.append(np.random.default_rng(0).normal(size=(40, 1, 8, 8)), table)
    tools = tmp_path / "bin"
    tools.mkdir()
    script(tools / "srun", f'echo $$ > "{tmp_path}/pid"; exec "$@"')
    script(tools / "scontrol", f'echo "$@" >> "{tmp_path}/queued"')
    script(tools / "python", f'exec "{sys.executable}" "$@"')
    root = tmp_path / "root"  # as a checkout, in which jobs write their checkpoints
    root.mkdir()
    for name in ("platform", "pipelines", "infra"):
        (root / name).symlink_to(ROOT / name)
    store = f"sqlite:///{tmp_path}/mlflow.db"
    job = [
        *("bash", "infra/slurm/train.sbatch", "--data", str(tmp_path / "s.particles.zarr")),
        *("--model", "beta-vae", "--channels", "2", "--device", "cpu"),
        *("--epochs", str(EPOCHS), "--checkpoint_every", "0"),
    ]
    environment = {
        **os.environ,
        "PATH": f"{tools}:{os.environ['PATH']}",
        "MLFLOW_TRACKING_URI": store,
        "SLURM_JOB_ID": "17",
        "SLURM_SUBMIT_DIR": str(root),
    }
    running = subprocess.Popen(job, cwd=root, env=environment)
    kept = root / "checkpoints" / "slurm-17"
    for _ in range(12000):
        if any(kept.glob("0000001[0-9]")):
            break
        assert running.poll() is None
        time.sleep(0.01)
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGUSR1)
    assert running.wait(120) == 75
    assert (tmp_path / "queued").read_text() == "requeue 17\n"
    assert subprocess.run(job, cwd=root, env=environment, timeout=240).returncode == 0
    assert (tmp_path / "queued").read_text() == "requeue 17\n"
    client = MlflowClient(store)
    experiment = client.get_experiment_by_name("latentlaw")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FINISHED"
    history = client.get_metric_history(run.info.run_id, "train/loss")
    assert [metric.step for metric in history] == list(range(EPOCHS))


def script(path: Path, body: str) -> None:
    path.write_text(f"#!/usr/bin/env bash\n{body}\n")
    path.chmod(0o755)
