"""Where a measurement runs: a folder and a tracking store of its own, and what it ran there."""

import csv
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from functools import cached_property
from pathlib import Path
from typing import Any

from latentlaw.tracking.names import TAG_STAGE
from latentlaw.tracking.recording.runs import configure_tracking
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from tests.results.records import ROOT

WORK = Path("work/results")
DATA = Path("../shared/data")
EXPERIMENT = "latentlaw"
_RUN = re.compile(r"\b[0-9a-f]{32}\b")


class AbsentError(Exception):
    """What a measurement needs is not on this machine."""


class Scratch:
    """A new folder `work/results/NAME`, in which a measurement runs commands and reads runs.

    Attributes
    ----------
    folder
        Relative to the repository's root, where commands run.
    commands
        What was run: `$SEED` stands for the seed, `$RUN` for a run that a command before made.
    """

    def __init__(self, name: str) -> None:
        self.folder = WORK / name
        self.commands: list[str] = []
        here = ROOT / self.folder
        shutil.rmtree(here, ignore_errors=True)
        here.mkdir(parents=True)
        self.uri = f"sqlite:///{here}/mlflow.db"

    @cached_property
    def client(self) -> MlflowClient:
        """A client of the tracking store, which is made when it is first asked for."""
        client = MlflowClient(self.uri)
        # Else artifacts would go to the folder of the user's own runs.
        runs = ROOT / self.folder / "mlruns"
        client.create_experiment(EXPERIMENT, artifact_location=str(runs))
        return client

    def track(self) -> None:
        """Point MLflow at the store, for a measurement that makes runs in this process."""
        configure_tracking(self.client.tracking_uri)

    def data(self, name: str) -> Path:
        """Return the path of a real input.

        Raises
        ------
        AbsentError
            If it is not beside the repository.
        """
        if not (ROOT / DATA / name).exists():
            raise AbsentError(f"{DATA / name} is absent")
        return DATA / name

    def entry(self, name: str, /, **parameters: Any) -> Run:
        """Run an entry point by `mlflow run` and return its run."""
        command = ["mlflow", "run", ".", "--env-manager=local"]
        command += [] if name == "main" else ["-e", name]
        for key, value in parameters.items():
            command += ["-P", f"{key}={value}"]
        client = self.client  # makes the store, if it is not there
        self.run(command, seed=parameters.get("seed"))
        (experiment,) = client.search_experiments(filter_string=f"name = '{EXPERIMENT}'")
        return client.search_runs(
            [experiment.experiment_id], f"tags.`{TAG_STAGE}` = '{name}'", max_results=1
        )[0]

    def python(self, module: str, *arguments: str) -> str:
        """Run a module and return what it printed."""
        return self.run([sys.executable, "-m", module, *arguments])

    def run(self, command: list[str], *, seed: int | None = None) -> str:
        """Run a command in the root of the repository, and return what it printed.

        Raises
        ------
        RuntimeError
            If it fails, with the end of what it said.
        """
        text = shlex.join(["python" if part == sys.executable else part for part in command])
        if seed is not None:
            text = text.replace(f"seed={seed}", "seed=$SEED")
        text = _RUN.sub("$RUN", text)
        if text not in self.commands:
            self.commands.append(text)
        print(f"$ {text}" + (f"   # SEED={seed}" if seed is not None else ""), flush=True)
        started = time.monotonic()
        settings = {"MLFLOW_TRACKING_URI": self.uri, "MLFLOW_EXPERIMENT_NAME": EXPERIMENT}
        with (ROOT / self.folder / "log.txt").open("a+") as log:
            start = log.seek(0, os.SEEK_END)
            done = subprocess.run(
                command,
                cwd=ROOT,
                env=os.environ | settings,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                check=False,
            )
            log.seek(start)
            said = log.read()
            log.write(done.stdout)
        if done.returncode:
            raise RuntimeError(f"{text}: exit code {done.returncode}\n{said[-2000:]}")
        print(f"  {time.monotonic() - started:.0f} s", flush=True)
        return done.stdout

    def children(self, parent: Run, stage: str) -> list[Run]:
        """Return the runs of a stage below a run, oldest first."""
        told = f"tags.`mlflow.parentRunId` = '{parent.info.run_id}' and tags.`{TAG_STAGE}`"
        return self.client.search_runs(
            [parent.info.experiment_id], f"{told} = '{stage}'", order_by=["start_time ASC"]
        )

    def json(self, run: Run, name: str) -> Any:
        """Return a JSON artifact."""
        return json.loads(self._text(run, name))

    def csv(self, run: Run, name: str) -> list[dict[str, str]]:
        """Return the lines of a CSV artifact, by column."""
        return list(csv.DictReader(io.StringIO(self._text(run, name))))

    def _text(self, run: Run, name: str) -> str:
        return Path(self.client.download_artifacts(run.info.run_id, name)).read_text()


def seconds_of(run: Run) -> float:
    """Return how long a run took."""
    return (run.info.end_time - run.info.start_time) / 1000
