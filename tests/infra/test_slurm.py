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
from latentlaw.data.particles.writer import new_stack
from mlflow.tracking import MlflowClient

ROOT = Path(__file__).parents[2]
EPOCHS = 15


#: As SLURM does: a process a task with its number, the worst exit code of all.
SRUN = """
test "$1 $2" = "--kill-on-bad-exit=0 --cpus-per-task=1" && shift 2
for ((i = 0; i < SLURM_NTASKS; i++)); do
    SLURM_PROCID=$i SLURM_LOCALID=$i "$@" &
    echo $! >> "{folder}/pids"
done
code=0
for pid in $(jobs -p); do wait "$pid" || code=$?; done
exit "$code"
"""


@pytest.mark.infra
@pytest.mark.timeout(600)
@pytest.mark.parametrize("tasks", [1, 2])
def test_training_is_queued_again_and_goes_on(tmp_path: Path, tasks: int) -> None:
    with new_stack(tmp_path / "s.particles.zarr", item_shape=(1, 8, 8)) as writer:
        table = pd.DataFrame({"label": ["a", "b"] * 20, "group": np.arange(40).astype(str)})
        writer.append(np.random.default_rng(0).normal(size=(40, 1, 8, 8)), table)
    tools = tmp_path / "bin"
    tools.mkdir()
    script(tools / "srun", SRUN.replace("{folder}", str(tmp_path)))
    script(
        tools / "scontrol",
        f'if [ "$1" = show ]; then echo 127.0.0.1; else echo "$@" >> "{tmp_path}/queued"; fi',
    )
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
        "SLURM_JOB_NODELIST": "node[1-2]",
        "SLURM_NTASKS": str(tasks),
        "SLURM_CPUS_PER_TASK": "1",
        "SLURM_SUBMIT_DIR": str(root),
    }
    running = subprocess.Popen(job, cwd=root, env=environment)
    kept = root / "checkpoints" / "slurm-17"
    for _ in range(12000):
        if any(kept.glob("0000001[0-9]")):
            break
        assert running.poll() is None
        time.sleep(0.01)
    for pid in (tmp_path / "pids").read_text().split():
        os.kill(int(pid), signal.SIGUSR1)
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
