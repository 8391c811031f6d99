"""Entry points as a user types them, in a folder of the test's own."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
Completed = subprocess.CompletedProcess[str]


def environment(folder: Path) -> dict[str, str]:
    # What MLflow sets in this process, such as an experiment's id, is not what a user has set.
    clean = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}
    return {
        **clean,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db",
        "PYTHONPATH": f"{ROOT / 'platform'}{os.pathsep}{ROOT}",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "GIT_PYTHON_REFRESH": "quiet",
    }


def start(folder: Path, command: list[str], flag: str, parameters: dict[str, Any]) -> Completed:
    pairs = [part for k, v in parameters.items() for part in flag.format(k, v).split(" ", 1)]
    return subprocess.run(
        [*command, *pairs],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def mlflow_run(folder: Path, entry: str, /, **parameters: Any) -> Completed:
    command = ["mlflow", "run", str(ROOT), "-e", entry, "--env-manager=local"]
    return start(folder, [*command, "--experiment-name", "latentlaw"], "-P {}={}", parameters)


def entry(folder: Path, name: str, /, **parameters: Any) -> Completed:
    return start(folder, [sys.executable, "-m", f"pipelines.{name}"], "--{} {}", parameters)
