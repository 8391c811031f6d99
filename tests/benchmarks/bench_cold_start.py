"""Seconds from the start of a process to its first answer: a law given latents, and a network."""

import tempfile
from pathlib import Path

import numpy as np
from latentlaw.discovery.equations.expressions import parse
from latentlaw.discovery.equations.model import EquationModel
from latentlaw.evaluation.head.head import fit_head
from latentlaw.models.config import ModelConfig
from latentlaw.models.vae import AutoEncoder
from latentlaw.serving.bundle import Bundle

from tests.benchmarks.ratio import Ratio, interleaved_seconds
from tests.bundles import ScoringServer, packed

BOX, LATENTS = 32, 8


def measure() -> list[Ratio]:
    """First answers a second of waiting, of servers that start from a bundle's folder."""
    latents = {"latents": [[1.0] * LATENTS]}
    images = {"inputs": packed(np.ones((1, 1, BOX, BOX, BOX)))}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "bundle"
        made().save(folder)
        law, network = interleaved_seconds(
            lambda: _first_answer(folder, latents, "--latents"),
            lambda: _first_answer(folder, images),
            rounds=5,
        )
    name = f"cold start: server of a law of {LATENTS} latents, to its first answer"
    return [Ratio(name, f"server of the network, {BOX}^3", 1 / law, 1 / network, "1/s", 3)]


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


def _first_answer(folder: Path, body: object, *options: str) -> None:
    server = ScoringServer(folder, *options)
    server.start()
    status, _ = server.post(body)
    server.kill()
    if status != 200:
        raise RuntimeError(f"the server answered {status}")
