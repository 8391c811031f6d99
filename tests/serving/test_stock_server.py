"""`mlflow models serve` of a logged model, where nothing of this repository is installed."""

import importlib.metadata
import json
import os
import pickle
import pickletools
import subprocess
import sysconfig
import urllib.error
import urllib.request
import venv
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow
import numpy as np
import pytest
from latentlaw.errors import CheckpointError
from latentlaw.serving.bundle import load_bundle
from latentlaw.serving.log import log_bundle

from tests.bundles import tiny_bundle
from tests.servers import Server, answers, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

IMAGES = np.random.default_rng(0).random((2, 1, 8, 8, 8), dtype=np.float32)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a logged model."""
    folder = tmp_path_factory.mktemp("stock")
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    experiment = mlflow.create_experiment("e", artifact_location=str(folder / "artifacts"))
    with mlflow.start_run(experiment_id=experiment):
        uri = log_bundle(tiny_bundle(), IMAGES)
    found = Path(mlflow.artifacts.download_artifacts(uri, dst_path=str(folder / "model")))
    mlflow.set_tracking_uri(before)
    return found


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the programs of an environment with every library, and without this repository."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    site = next((folder / "lib").glob("python*/site-packages"))
    # A path in a .pth file brings the libraries, but not the .pth files among them.
    (site / "libraries.pth").write_text(sysconfig.get_paths()["purelib"])
    program = folder / "bin" / "uvicorn"
    program.write_text(f'#!/bin/sh\nexec "{folder}/bin/python" -m uvicorn "$@"\n')
    program.chmod(0o755)
    return folder / "bin"


def clean() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "MLFLOW_TRACKING_URI")}


@pytest.fixture(scope="module")
def server(model: Path, stranger: Path) -> "Iterator[str]":
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [str(stranger / "python"), "-m", "mlflow", "models", "serve", "-m", str(model)]
    served = Server(
        [*command, "--env-manager", "local", "-h", "127.0.0.1", "-p", str(port)],
        model.parent / "server.log",
        lambda: answers(f"{url}/ping"),
        environment={"PATH": f"{stranger}:{os.environ['PATH']}", "PYTHONPATH": ""},
    )
    served.start()
    yield url
    served.kill()


def post(url: str, body: str) -> tuple[int, Any]:
    request = urllib.request.Request(
        f"{url}/invocations", body.encode(), {"content-type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def test_environment_lacks_the_repository(stranger: Path) -> None:
    found = subprocess.run(
        [str(stranger / "python"), "-c", "import torch, latentlaw"],
        env=clean(),
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert "No module named 'latentlaw'" in found.stderr


def test_stock_server_answers_as_the_bundle_does(server: str, model: Path) -> None:
    expected = load_bundle(model / "artifacts" / "bundle").predict(IMAGES)
    status, content = post(server, json.dumps({"inputs": IMAGES.tolist()}))
    assert status == 200
    for found, wanted in zip(content["predictions"], expected, strict=True):
        assert list(found) == list(wanted)
        assert found["class"] == wanted["class"]
        assert found["terms"].keys() == wanted["terms"].keys()
        assert found["z0"] == pytest.approx(wanted["z0"], abs=1e-5)
        assert found["probability"] == pytest.approx(wanted["probability"], abs=1e-5)
    body = {"inputs": IMAGES.tolist(), "params": {"returns": ["class", "novelty"]}}
    assert [list(r) for r in post(server, json.dumps(body))[1]["predictions"]] == [
        ["class", "novelty"],
        ["class", "novelty"],
    ]


def test_stock_server_refuses_nan_with_its_place(server: str) -> None:
    images = IMAGES.copy()
    images[1, 0, 0, 0, 0] = np.nan
    status, content = post(server, json.dumps({"inputs": images.tolist()}))
    assert status == 400
    assert "NaN or infinite values in particle 1 of 2" in content["message"]


def test_nothing_that_is_logged_is_a_pickle(model: Path) -> None:
    files = [path for path in model.rglob("*") if path.is_file()]
    assert {"MLmodel", "weights.safetensors", "pyfunc.py"} <= {path.name for path in files}
    for path in files:
        assert path.suffix not in (".pkl", ".pickle", ".pt", ".pth", ".joblib")
        assert not zipfile.is_zipfile(path)
        assert not is_pickle(path.read_bytes()), path


def is_pickle(raw: bytes) -> bool:
    """Tell whether all of it reads as the operations of a pickle, of any protocol."""
    try:
        return [place for _, _, place in pickletools.genops(raw)][-1] == len(raw) - 1
    except ValueError:
        return False


def test_pickles_are_known_by_their_operations() -> None:
    assert all(is_pickle(pickle.dumps([1], protocol)) for protocol in range(6))


@pytest.mark.parametrize(
    "name",
    [
        "artifacts/bundle/weights.safetensors",
        "artifacts/bundle/config.json",
        "artifacts/bundle/head.json",
        "artifacts/bundle/equations.json",
        "code/latentlaw/serving/answers.py",
    ],
)
def test_changed_file_is_not_loaded(model: Path, name: str) -> None:
    path = model / name
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    try:
        with pytest.raises(CheckpointError, match=f"{path.name}: found SHA-256"):
            load_bundle(model / "artifacts" / "bundle")
    finally:
        path.write_bytes(whole)


def test_requirements_pin_a_torch_that_a_cpu_build_meets(model: Path) -> None:
    pins = dict(
        line.split("==") for line in (model / "requirements.txt").read_text().split() if line
    )
    assert pins["torch"] == importlib.metadata.version("torch").split("+")[0]
    assert "+" not in "".join(pins.values())


@pytest.mark.slow
def test_requirements_are_all_that_it_needs(model: Path, tmp_path: Path) -> None:
    """In a new environment of what the model pins, as a user of another machine would."""
    venv.create(tmp_path / "environment", with_pip=True)
    python = tmp_path / "environment" / "bin" / "python"
    install = [
        str(python),
        "-m",
        "pip",
        "install",
        "--quiet",
        "-r",
        str(model / "requirements.txt"),
    ]
    subprocess.run(install, env=clean(), check=True)
    script = (
        "import json, sys, mlflow, numpy as np\n"
        "model = mlflow.pyfunc.load_model(sys.argv[1])\n"
        "print(json.dumps(model.predict(np.load(sys.argv[2])).to_dict('records')))\n"
    )
    np.save(tmp_path / "images.npy", IMAGES)
    command = [str(python), "-c", script, str(model), str(tmp_path / "images.npy")]
    done = subprocess.run(command, env=clean(), cwd="/", check=True, stdout=subprocess.PIPE)
    expected = load_bundle(model / "artifacts" / "bundle").predict(IMAGES)
    found = json.loads(done.stdout.splitlines()[-1])
    assert [record["class"] for record in found] == [record["class"] for record in expected]
