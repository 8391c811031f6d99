"""The main job as a user types it, on small inputs: `mlflow run REPOSITORY --env-manager=local`.

Each test is in a folder of its own, where MLflow keeps the artifacts beside a test's store.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from dashboards.charts.frontier import RUNG_FAMILIES
from tests.end_to_end.commands import ROOT, Completed, entry, environment, mlflow_run

STEPS = {"simulate", "ingest", "extract", "affinity", "train", "evaluate", "discover", "register"}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the demo ran, shortly."""
    folder = tmp_path_factory.mktemp("demo")
    done = mlflow_run(folder, "main", out=folder / "work", epochs=4, budget_s=5, attacked=4)
    assert done.returncode == 0, done.stderr[-2000:]
    return folder


@pytest.fixture(scope="module")
def client(demo: Path) -> MlflowClient:
    return MlflowClient(f"sqlite:///{demo}/mlflow.db")


def stages(client: MlflowClient) -> dict[str, Run]:
    """The first run of each stage."""
    experiment = client.get_experiment_by_name("latentlaw")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id], order_by=["attributes.start_time DESC"])
    return {run.data.tags["latentlaw.stage"]: run for run in runs}


def artifact(client: MlflowClient, run: Run, name: str) -> Path:
    return Path(client.download_artifacts(run.info.run_id, name))


def test_one_parent_run_with_a_child_a_step(client: MlflowClient) -> None:
    runs = stages(client)
    assert set(runs) == STEPS | {"main"}
    parent = runs.pop("main")
    assert {run.data.tags["mlflow.parentRunId"] for run in runs.values()} == {parent.info.run_id}
    assert {run.info.status for run in (*runs.values(), parent)} == {"FINISHED"}


def test_runs_record_what_the_design_lists(client: MlflowClient) -> None:
    runs = stages(client)
    train, evaluate = runs["train"], runs["evaluate"]
    for name in ("loss", "reconstruction", "kl", "affinity"):
        assert f"train/{name}" in train.data.metrics
        assert f"val/{name}" in train.data.metrics
    assert train.data.metrics["throughput/images_per_s"] > 0
    schedule = json.loads(artifact(client, train, "schedule.json").read_text())
    assert schedule == {"beta": [0.001] * 4, "gamma": [1.0] * 4}
    assert evaluate.data.tags["latentlaw.model_family"] == "affinity-vae"
    assert len(evaluate.data.tags["latentlaw.data_digest"]) == 64
    assert {i.dataset.name for i in evaluate.inputs.dataset_inputs} == {"demo.particles.zarr"}
    for name in ("separation/silhouette", "classification/macro_f1", "rotation/latent_cosine"):
        assert np.isfinite(evaluate.data.metrics[name])
    table = pd.read_parquet(artifact(client, evaluate, "embeddings.parquet"))
    assert {"particle_id", "label", "split", "z0", "z7", "px", "py"} <= set(table)
    assert len(json.loads(artifact(client, evaluate, "affinity.json").read_text())["used"]) == 6


def test_frontier_has_every_family_and_each_class_its_equation(client: MlflowClient) -> None:
    discover = stages(client)["discover"]
    frontier = json.loads(artifact(client, discover, "frontier.json").read_text())
    assert {rung["family"] for rung in frontier} == set(RUNG_FAMILIES)
    equations = json.loads(artifact(client, discover, "equations.json").read_text())
    assert len({equation["class"] for equation in equations}) == 6
    assert all(equation["expression"] and equation["latex"] for equation in equations)
    assert artifact(client, discover, "traversals/z0.png").exists()
    latents = json.loads(artifact(client, discover, "latents.json").read_text())
    meanings = {latent["latent"]: latent["meaning"] for latent in latents}
    assert list(meanings) == [f"z{i}" for i in range(8)]
    assert {"area", "total intensity", "eccentricity"} <= set(latents[0]["correlations"])
    for equation in equations:
        assert equation["latents"] == {z: meanings[z] for z in equation["latents"]}
    metrics = discover.data.metrics
    ratio = metrics["discovery/equation_accuracy"] / metrics["discovery/blackbox_accuracy"]
    assert metrics["discovery/accuracy_ratio"] == pytest.approx(ratio)
    assert "robustness/equation/eps_0.1" in metrics
    robustness = json.loads(artifact(client, discover, "robustness.json").read_text())
    families = {record["family"] for record in robustness}
    assert {"cnn", "dense", "sparse", "equation"} <= families
    assert {"shifts/cnn/none", "shifts/equation/equal_intensity"} <= set(metrics)
    assert artifact(client, discover, "figures/perturbations.png").exists()


def test_the_readme_asks_the_demo_from_python(demo: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=demo,
        env=environment(demo),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [line.split() for line in done.stdout.splitlines()]
    assert len(lines) == 3
    assert all(0 <= float(novelty) <= 1 for _, novelty, _ in lines)


@contextmanager
def served(folder: Path, port: int) -> Iterator[str]:
    """Serve the champion as a user would, and stop it."""
    command = ["mlflow", "models", "serve", "-m", "models:/latentlaw@champion"]
    server = subprocess.Popen(
        [*command, "--env-manager=local", "-h", "127.0.0.1", "-p", str(port)],
        cwd=folder,  # not the repository, whose package must not be needed
        env=environment(folder) | {"PYTHONPATH": ""},
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(f"{address}/ping", timeout=2)
                break
            except OSError:
                time.sleep(0.5)
        yield address
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def test_champion_answers_its_input_example(demo: Path, client: MlflowClient) -> None:
    version = client.get_model_version_by_alias("latentlaw", "champion")
    model = client.get_logged_model(version.source.removeprefix("models:/"))
    folder = Path(model.artifact_location.removeprefix("file://"))
    payload = (folder / "serving_input_example.json").read_bytes()
    assert not [path for path in folder.rglob("*") if path.suffix in (".pkl", ".pickle", ".pt")]
    with served(demo, 18537) as address:
        request = urllib.request.Request(
            f"{address}/invocations", payload, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            records = json.load(answer)["predictions"]
        wrong = urllib.request.Request(
            f"{address}/invocations",
            b'{"inputs": [[1, 2]]}',
            {"Content-Type": "application/json"},
        )
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(wrong, timeout=60)
    assert refused.value.code == 400
    assert len(records) == 2
    assert {"class", "probability", "novelty", "z0", "expression"} <= set(records[0])
    assert 0 <= records[0]["probability"] <= 1


def one_line_error(done: Completed, *words: str) -> None:
    """An error is one line that holds `words`, and the exit code is 2."""
    assert done.returncode == 2, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("latentlaw: error: ")]
    assert len(lines) == 1
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in lines[0]


def test_wrong_source_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    done = entry(tmp_path, "main", source="no/such/folder", out=tmp_path / "work")
    one_line_error(done, "source: found no no/such/folder")
    assert not (tmp_path / "work").exists()


def test_affinity_without_a_class_is_one_line(tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    for i in range(24):
        np.save(images / f"{'ab'[i % 2]}_{i}.npy", np.full((16, 16), i, dtype=np.float32))
    table = tmp_path / "affinity.csv"
    table.write_text("a,B\n1,0\n0,1\n")
    done = entry(tmp_path, "main", source=images, affinity=table, out=tmp_path / "work", epochs=1)
    one_line_error(done, "found no class 'b' of the data", "did you mean 'B'")
    assert not (tmp_path / "work").exists()


def test_truncated_mrc_is_one_line_and_the_others_go_on(tmp_path: Path) -> None:
    made = entry(tmp_path, "simulate", out=tmp_path / "sim", particles=4, shape="32,64,64")
    assert made.returncode == 0, made.stderr
    volume = tmp_path / "sim" / "tomograms" / "tomo_001.mrc"
    volume.write_bytes(volume.read_bytes()[:-100])
    done = entry(tmp_path, "ingest", source=volume.parent, out=tmp_path / "stores")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert sum("tomo_001.mrc" in line for line in done.stderr.splitlines()) == 1
    assert [path.name for path in (tmp_path / "stores").iterdir()] == ["tomo_000.ome.zarr"]


def test_output_is_not_overwritten_unasked(tmp_path: Path) -> None:
    (tmp_path / "sim").mkdir()
    done = entry(tmp_path, "simulate", out=tmp_path / "sim", particles=4)
    one_line_error(done, "exists already; pass overwrite=true")


def test_unknown_parameter_through_mlflow_run(tmp_path: Path) -> None:
    done = mlflow_run(tmp_path, "main", epoch=3)
    assert done.returncode != 0
    assert "unknown parameter 'epoch' (did you mean 'epochs'?)" in done.stderr


@pytest.mark.parametrize(
    ("source", "affinity"),
    [
        ("cells", None),
        ("jurkat/jurkat_dna.npz", None),
        ("alphanumeric", "alphanumeric/affinity_an.csv"),
        pytest.param("subtomograms", "subtomograms/affinity_fsc.csv", marks=pytest.mark.slow),
    ],
)
def test_real_input_goes_through(
    shared_data: Path, tmp_path: Path, source: str, affinity: str | None
) -> None:
    table = {} if affinity is None else {"affinity": shared_data / affinity}
    done = entry(
        tmp_path,
        "main",
        source=shared_data / source,
        out=tmp_path / "work",
        epochs=1,
        budget_s=3,
        attacked=4,
        **table,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "skipped simulate, ingest and extract" in done.stderr
    runs = stages(MlflowClient(f"sqlite:///{tmp_path}/mlflow.db"))
    assert {"collect", "train", "evaluate", "discover", "register", "main"} == set(runs)
    family = "affinity-vae" if affinity else "tc-vae"
    assert runs["train"].data.tags["latentlaw.model_family"] == family
    assert "classification/macro_f1" in runs["evaluate"].data.metrics
