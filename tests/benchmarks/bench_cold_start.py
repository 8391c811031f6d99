"""Seconds from the start of a process to its first answer: a law given latents, and a network."""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from latentlaw.discovery.equations import EquationModel
from latentlaw.discovery.expressions import parse
from latentlaw.evaluation.head import fit_head
from latentlaw.models.config import ModelConfig
from latentlaw.models.vae import AutoEncoder
from latentlaw.serving.bundle import Bundle

from tests.benchmarks.ratio import Ratio, interleaved_seconds

BOX, LATENTS = 32, 8
IMPORTS = "import sys; from pathlib import Path; import numpy as np\n"
LAW = (
    f"{IMPORTS}from latentlaw.serving.law import load_law\n"
    f"print(load_law(Path(sys.argv[1])).answers(np.ones((1, {LATENTS}))))"
)
NETWORK = (
    f"{IMPORTS}from latentlaw.serving.bundle import load_bundle\n"
    f"print(load_bundle(Path(sys.argv[1])).predict(np.ones((1, 1, {BOX}, {BOX}, {BOX}))))"
)


def measure() -> list[Ratio]:
    """First answers a second of waiting, of processes that start from a bundle's folder."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "bundle"
        made().save(folder)
        law, network = interleaved_seconds(
            lambda: _answer(LAW, folder), lambda: _answer(NETWORK, folder), rounds=5
        )
    name = f"cold start: a law of {LATENTS} latents, from process start to first answer"
    return [Ratio(name, f"network, {BOX}^3", 1 / law, 1 / network, "1/s", 3)]


def made() -> Bundle:
    """Return a model of ordinary size, untrained, with a law of three classes."""
    config = ModelConfig.model_validate(
        {"family": "affinity-vae", "image_shape": (1, BOX, BOX, BOX), "decoder": "splat"}
        | {"pose_dims": 4, "depth": 5, "latent_dims": LATENTS}
    )
    mu = np.random.default_rng(0).normal(size=(300, LATENTS))
    labels = np.array(["a", "b", "c"])[mu[:, :3].argmax(axis=1)]
    names = tuple(f"z{i}" for i in range(LATENTS))
    texts = ("2.1*z0 - z1*z2 + 0.5", "z1**2 - 3.2*z3", "0.7*z2 + exp(z4)")
    law = EquationModel(("a", "b", "c"), names, tuple(parse(text, names) for text in texts))
    return Bundle(AutoEncoder(config).eval(), fit_head(mu, labels, mu), law)


def _answer(code: str, folder: Path) -> None:
    subprocess.run([sys.executable, "-c", code, folder], check=True, stdout=subprocess.DEVNULL)
