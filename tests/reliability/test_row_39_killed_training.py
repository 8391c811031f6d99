"""A training killed at any moment, and again, ends with the bits of an unbroken one."""

import json
import random
import shutil
import signal
import time
from pathlib import Path

from latentlaw.training.checkpoints import read_checkpoint

from tests.reliability.training_runs import start, write_outcome

KILLS = 8


def newest(folder: Path) -> str:
    return max((path.name for path in folder.glob("[0-9]*")), default="")


def test_row_39_killed_training(tmp_path: Path) -> None:
    start(write_outcome, tmp_path / "unbroken", tmp_path / "unbroken.json").join(60)
    expected = json.loads((tmp_path / "unbroken.json").read_text())
    assert expected["epochs"] == [0, 1, 2, 3]
    draw = random.Random(0)
    steps = []
    for run in range(2):
        folder, out = tmp_path / f"broken{run}", tmp_path / f"broken{run}.json"
        for _ in range(KILLS // 2):
            before = newest(folder)
            child = start(write_outcome, folder, out)
            while child.is_alive() and newest(folder) == before:
                time.sleep(0.001)  # until it trains
            time.sleep(draw.uniform(0, 0.03))
            child.kill()
            child.join()
            if child.exitcode == -signal.SIGKILL:
                steps.append(read_checkpoint(folder).record.progress.step)
        start(write_outcome, folder, out).join(60)
        assert json.loads(out.read_text()) == expected
        shutil.rmtree(folder)
    assert len(set(steps)) >= 3, "killed at the same step each time"
