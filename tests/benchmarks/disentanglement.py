"""Whether a tc-vae's latents are the factors of nuclei more than a beta-vae's are.

`python -m tests.benchmarks.disentanglement` renders nuclei of known, independent factors, trains
each model on the same ones and prints, on nuclei never trained on: what each latent means, total
correlation in nats (stratified, of all test nuclei at once), MIG, DCI, SAP. One thread; minutes.
"""

import argparse
import time
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
        "KL": sum(m.kl_nats or 0.0 for m in named),
        "active": float(sum(not m.collapsed for m in named)),
        "TC": total_correlation(codes, seed),
        **{name.partition("/")[2]: value for name, value in scores.items()},
    }


def main() -> None:
    """Render, train, measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", type=int, default=2000, help="nuclei to train and validate on")
    parser.add_argument("--test", type=int, default=1000, help="nuclei to measure on")
    parser.add_argument("--box", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--latents", type=int, default=10)
    parser.add_argument("--beta", type=float, default=1e-3)
    parser.add_argument("--seeds", type=int, default=3)
    p = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for seed in range(p.seeds):
        factors = draw_factors(p.train + p.test, torch.Generator().manual_seed(seed))
        images = torch.from_numpy(render_nuclei(factors, p.box))
        for name, family, weights in models(p.beta):
            start = time.perf_counter()
            # Place and orientation are factors, so nothing is turned.
            config = TrainConfig(epochs=p.epochs, augmentation="none", seed=seed, **weights)
            model = train(family, images[: p.train], config, p.latents)
            print(f"{name}, seed {seed}: {time.perf_counter() - start:.0f} s", flush=True)
            found = measures(model, images[p.train :], factors[p.train :], seed)
            rows.append({"model": name, **found})
    table = pd.DataFrame(rows).set_index("model").round(3)
    print(table.to_string())
    print(
        "mean over seeds", table.groupby(level=0, sort=False).mean().round(3).to_string(), sep="\n"
    )


if __name__ == "__main__":
    main()
