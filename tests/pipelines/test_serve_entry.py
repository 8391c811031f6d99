"""`serve` as a user starts it: the champion of the registry, on a port of this machine."""

import signal
import sys
from pathlib import Path

import mlflow
import numpy as np
from latentlaw.serving.log import log_bundle
from latentlaw.tracking.recording.runs import stage_run
from mlflow.tracking import MlflowClient

from tests.bundles import ScoringServer, packed, tiny_bundle

IMAGES = np.random.default_rng(0).random((2, 1, 8, 8, 8), dtype=np.float32)


def test_champion_is_served_until_told_to_stop(
    tracking_store: MlflowClient, tmp_path: Path
) -> None:
    bundle = tiny_bundle()
    with stage_run("train", {}):
        uri = log_bundle(bundle, IMAGES)
    version = mlflow.register_model(uri, "m").version
    tracking_store.set_registered_model_alias("m", "champion", version)
    command = [sys.executable, "-m", "pipelines.serve", "--model", "models:/m@champion"]
    server = ScoringServer(tmp_path / "log", command=command)
    server.start()
    try:
        status, content = server.post({"inputs": packed(IMAGES)})
        assert status == 200
        assert content["predictions"][0]["class"] == bundle.predict(IMAGES)[0]["class"]
        server.send(signal.SIGTERM)
        assert server.wait() == 0  # told to stop, it has
        assert "Traceback" not in server.log
    finally:
        server.kill()
