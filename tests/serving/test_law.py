"""A law that is served without its network answers as the whole bundle does."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from latentlaw.discovery.equations.expressions import parse
from latentlaw.discovery.equations.model import EquationModel
from latentlaw.errors import CheckpointError, DataError
from latentlaw.evaluation.embed import Embedding
from latentlaw.evaluation.head.head import fit_head
from latentlaw.models.config import ModelConfig
from latentlaw.models.vae import AutoEncoder
from latentlaw.serving.bundle import Bundle
from latentlaw.serving.digests import DIGESTS, write_digests
from latentlaw.serving.law_bundle import load_law

from tests.bundles import ScoringServer

MU = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
HEAVY = ("torch", "sklearn", "scipy", "pandas", "mlflow", "sympy")


@pytest.fixture
def bundle() -> Bundle:
    config = ModelConfig.model_validate(
        {"family": "tc-vae", "image_shape": (1, 8, 8), "latent_dims": 3, "pose_dims": 0}
        | {"depth": 1, "channels": 4}
    )
    names = ("z0", "z1", "z2")
    law = EquationModel(("large", "small"), names, (parse("0.5 - 2.0*z0 + z1**2", names),))
    head = fit_head(MU, np.where(MU[:, 0] > 0, "large", "small"), MU)
    return Bundle(AutoEncoder(config).eval(), head, law)


@pytest.fixture
def folder(bundle: Bundle, tmp_path: Path) -> Path:
    bundle.save(tmp_path / "bundle")
    return tmp_path / "bundle"


def test_latents_are_answered_as_by_the_whole_bundle(bundle: Bundle, folder: Path) -> None:
    law = load_law(folder)
    codes = Embedding(MU, MU, np.zeros((len(MU), 0), np.float32))
    assert law.answers(MU) == bundle.answers(codes)
    assert law.class_names == bundle.class_names
    np.testing.assert_array_equal(law.probabilities(MU), bundle.probabilities(MU))
    assert set(law.answers(MU, returns=["class", "value"])[0]) == {"class", "value"}


def test_nothing_heavy_is_imported_for_it(folder: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from latentlaw.serving.law_bundle import load_law\n"
        "import numpy as np\n"
        f"load_law(Path({str(folder)!r})).answers(np.array([[0.1, 0.2, 0.3]]))\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert found.stdout.decode().strip() == "[]"


def test_weights_are_not_read(folder: Path) -> None:
    (folder / "weights.safetensors").write_bytes(b"damaged")
    assert load_law(folder).answers(MU)


def test_a_changed_law_is_refused(folder: Path) -> None:
    path = folder / "equations.json"
    path.write_text(path.read_text().replace("2.0", "3.0"))
    with pytest.raises(CheckpointError, match=r"equations\.json: found SHA-256"):
        load_law(folder)


def test_a_model_without_equations_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    Bundle(bundle.model, bundle.head).save(tmp_path / "plain")
    with pytest.raises(CheckpointError, match="no equations"):
        load_law(tmp_path / "plain")
    with pytest.raises(CheckpointError, match="not a whole model bundle"):
        load_law(tmp_path / "nothing")


def test_a_law_stored_as_text_alone_is_read(bundle: Bundle, folder: Path) -> None:
    path = folder / "equations.json"
    record = json.loads(path.read_text())
    path.write_text(
        json.dumps({k: v for k, v in record.items() if k not in ("programs", "terms")})
    )
    (folder / DIGESTS).unlink()
    write_digests(folder)
    codes = Embedding(MU, MU, np.zeros((len(MU), 0), np.float32))
    assert load_law(folder).answers(MU) == bundle.answers(codes)


@pytest.mark.parametrize("bad", [np.zeros((2, 4)), np.zeros((0, 3)), np.full((1, 3), np.nan)])
def test_bad_latents_are_refused(folder: Path, bad: np.ndarray) -> None:
    with pytest.raises(DataError, match="latents"):
        load_law(folder).answers(bad)


def test_server_of_a_law_answers_latents_and_says_that_it_takes_no_images(
    bundle: Bundle, folder: Path
) -> None:
    server = ScoringServer(folder, "--latents")
    server.start()
    try:
        status, content = server.post({"latents": MU.tolist(), "params": {"returns": ["class"]}})
        assert status == 200
        expected = bundle.equations
        assert expected is not None
        names = [expected.class_names[k] for k in expected.predict(MU)]
        assert [record["class"] for record in content["predictions"]] == names
        status, content = server.post({"inputs": [[[[0.0] * 8] * 8]]})
        assert status == 400
        assert "answers latents only" in content["error"]
    finally:
        server.kill()
