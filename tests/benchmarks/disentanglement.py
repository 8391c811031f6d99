"""Whether a tc-vae's latents are the factors of nuclei more than a beta-vae's are.

`python -m tests.results disentanglement` renders nuclei of known, independent factors, trains each
model on the same ones and measures, on nuclei never trained on: total correlation in nats
(stratified, of all test nuclei at once), MIG, DCI, SAP. What each latent means is printed.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pandas as pd
import torch
from latentlaw.data.particles.loading import ArrayImages, Particles
from latentlaw.data.simulation.nuclei import draw_factors, render_nuclei
from latentlaw.evaluation.embed import Embedding, embed
from latentlaw.evaluation.meanings.image_features import image_features
from latentlaw.evaluation.meanings.latent_meanings import latent_meanings
from latentlaw.evaluation.scores.disentanglement import disentanglement_scores
from latentlaw.losses.divergence import decompose_kl
from latentlaw.models.config import Family, ModelConfig
from latentlaw.models.normalisation import Normalisation
from latentlaw.models.vae import AutoEncoder
from latentlaw.training.config import TrainConfig
from latentlaw.training.loop import fit
from latentlaw.training.seeds import seeded_initialisation

from tests.results.records import Row, over_seeds

TRAINED, TESTED, BOX, EPOCHS, LATENTS, BETA, SEEDS = 2000, 1000, 32, 50, 10, 1e-3, 3


def models(beta: float) -> list[tuple[str, Family, dict[str, Any]]]:
    """Name, family and weights of each model.

    The first beta-vae presses on total correlation as hard as the tc-vae, and on mutual
    information too; the second on neither.
    """
    tc = {"beta": beta, "tc": 4 * beta}
    return [
        ("tc-vae, tc = 4 beta", "tc-vae", tc),
        ("the same, minibatch-weighted", "tc-vae", {**tc, "tc_estimator": "weighted"}),
        ("beta-vae, 4 beta", "beta-vae", {"beta": 4 * beta}),
        ("beta-vae, beta", "beta-vae", {"beta": beta}),
    ]


def train(
    family: Family, images: torch.Tensor, config: TrainConfig, latent_dims: int
) -> AutoEncoder:
    """Train on nine tenths of the images `(n, 1, y, x)`, validate on the rest."""
    model_config = ModelConfig(
        family=family,
        image_shape=tuple(images.shape[1:]),
        latent_dims=latent_dims,
        pose_dims=0,
        depth=3,
        normalisation=Normalisation.fit("global", [images]),  # intensity is a factor
    )
    with seeded_initialisation(config.seed):
        model = AutoEncoder(model_config)
    source, cut = ArrayImages(images.numpy()), int(0.9 * len(images))
    rows = torch.arange(len(images)).numpy()
    parts = [Particles.unlabelled(source, part) for part in (rows[:cut], rows[cut:])]
    fit(model, parts[0], parts[1], config)
    return model


def total_correlation(codes: Embedding, seed: int) -> float:
    """Of samples of the posterior, over all images at once, nats."""
    mu, logvar = torch.from_numpy(codes.mu), torch.from_numpy(codes.logvar)
    noise = torch.randn(mu.shape, generator=torch.Generator().manual_seed(seed))
    z = mu + (0.5 * logvar).exp() * noise
    return float(decompose_kl(z, mu, logvar, len(z)).total_correlation)


def measures(
    model: AutoEncoder, images: torch.Tensor, factors: pd.DataFrame, seed: int
) -> dict[str, float]:
    """Print what latents mean; return the measures by name."""
    codes = embed(model, images.numpy())
    named = latent_meanings(codes, image_features(images.numpy()))
    print("; ".join(f"{m.latent} {m.text}" for m in named if m.text), flush=True)
    scores = disentanglement_scores(codes.mu, factors, seed=seed)
    return {
        "KL, nats": sum(m.kl_nats or 0.0 for m in named),
        "latents not collapsed": float(sum(not m.collapsed for m in named)),
        "TC, nats": total_correlation(codes, seed),
        **{name.partition("/")[2]: value for name, value in scores.items()},
    }


def measure() -> Iterator[Row]:
    """Render, train, and yield a row a measure and model, over seeds."""
    torch.set_num_threads(1)
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for seed in range(SEEDS):
        factors = draw_factors(TRAINED + TESTED, torch.Generator().manual_seed(seed))
        images = torch.from_numpy(render_nuclei(factors, BOX))
        for name, family, weights in models(BETA):
            # Place and orientation are factors, so nothing is turned.
            config = TrainConfig(
                epochs=EPOCHS, samples_per_epoch=512, augmentation="none", seed=seed, **weights
            )
            model = train(family, images[:TRAINED], config, LATENTS)
            print(f"{name}, seed {seed}", flush=True)
            for measured, value in measures(
                model, images[TRAINED:], factors[TRAINED:], seed
            ).items():
                found[measured, name].append(value)
    for (measured, name), values in found.items():
        yield over_seeds(measured, values, column=name)
