"""How well the splat decoder's pose is the true orientation, on data it never saw.

`python -m tests.benchmarks.pose_accuracy volumes --templates FOLDER [--snr 0.1 --wedge 60]` or
`… letters` renders particles of asymmetric classes at random orientations, trains on part of them
and prints the median error in degrees of the rest, up to one frame a class, for the pose that is
searched and for the encoder's guess alone. `--no-search` trains by gradients through one pose
instead; `--blind` does not tell the model its wedge. One thread; minutes.
"""

import argparse
import time
from contextlib import nullcontext
from dataclasses import dataclass
from unittest.mock import patch

import numpy as np
import pandas as pd
import torch
from latentlaw.data.particles.loading import ArrayImages, Particles
from latentlaw.data.simulation.rendering import render_particles
from latentlaw.data.simulation.templates import read_templates
from latentlaw.evaluation.scores.pose import pose_errors_by_class
from latentlaw.geometry.rotations import angle_to_matrix, random_quaternions
from latentlaw.geometry.volumes import apply_fourier_mask, rotate_images, wedge_mask
from latentlaw.models.config import ModelConfig, deepest, splat_pose_dims
from latentlaw.models.vae import AutoEncoder
from latentlaw.training.config import TrainConfig
from latentlaw.training.loop import fit
from numpy.typing import NDArray
from torch import Tensor

VOLUMES = ("4cr2", "4v4r_30S", "5mrc", "1u6g")
LETTERS = "aefghjkr2457"
BATCH = 128


@dataclass(frozen=True)
class Posed:
    """Images `(n, c, [z,] y, x)`, poses `(n, 4)` or `(n, 2)` and class indices `(n,)`."""

    images: NDArray[np.float32]
    poses: NDArray[np.float64]
    labels: NDArray[np.int64]


def volumes(templates: str, each: int, box: int, voxel_a: float, seed: int) -> Posed:
    """Render every template `each` times at a random orientation."""
    maps = read_templates(templates, voxel_size_a=voxel_a, classes=VOLUMES)
    n = each * len(VOLUMES)
    poses = random_quaternions(n, torch.Generator().manual_seed(seed)).double().numpy()
    labels = np.repeat(np.arange(len(VOLUMES)), each)
    images = np.empty((n, 1, box, box, box), np.float32)
    for i, (label, pose) in enumerate(zip(labels, poses, strict=True)):
        row = dict(zip(("qw", "qx", "qy", "qz"), pose, strict=True))
        place = dict.fromkeys("zyx", box // 2 * voxel_a)
        particle = pd.DataFrame([{"label": VOLUMES[label], **place, **row}])
        images[i, 0] = render_particles(particle, maps, (box,) * 3, voxel_a)
    return Posed(images, poses, labels)


def recorded(images: NDArray[np.float32], snr: float, wedge: float, seed: int) -> Tensor:
    """Add noise of the particle's own variance over `snr`, then take the missing wedge away."""
    clean = torch.from_numpy(images)
    deviation = clean.flatten(1).std(dim=1).view(-1, *[1] * (clean.ndim - 1))
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(seed))
    noisy = clean + noise * deviation / snr**0.5
    if wedge >= 90:
        return noisy
    z, y, x = clean.shape[2:]
    return apply_fourier_mask(noisy, wedge_mask((z, y, x), wedge))


def letters(each: int, box: int, seed: int) -> Posed:
    """Render letters in matplotlib's sans-serif fonts, turned and scaled at random."""
    drawn = np.stack([_letter(name, 2 * box) for name in LETTERS])
    labels = np.repeat(np.arange(len(LETTERS)), each)
    generator = torch.Generator().manual_seed(seed)
    angles = torch.rand(len(labels), generator=generator) * (2 * np.pi)
    scales = 0.8 + 0.4 * torch.rand(len(labels), generator=generator)
    turns = angle_to_matrix(angles) * scales[:, None, None].reciprocal()
    large = rotate_images(torch.from_numpy(drawn)[labels], turns)
    images = torch.nn.functional.avg_pool2d(large, 2)
    poses = torch.stack((angles.cos(), angles.sin()), dim=1).double()
    return Posed(images.numpy(), poses.numpy(), labels)


def _letter(name: str, box: int) -> NDArray[np.float32]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1, 1), dpi=box, facecolor="black")
    canvas = FigureCanvasAgg(figure)
    figure.text(0.5, 0.5, name, fontsize=42, color="white", ha="center", va="center")
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[None, :, :, 0].astype(np.float32) / 255


def train(
    posed: Posed, training: TrainConfig, splats: int, tilt_range: float | None
) -> AutoEncoder:
    """Train on nine tenths of the particles, validate on the rest."""
    shape = posed.images.shape[1:]
    config = ModelConfig(
        family="affinity-vae",
        image_shape=shape,
        pose_dims=splat_pose_dims(len(shape) - 1),
        depth=min(3, deepest(shape[1:], smallest=3)),
        decoder="splat",
        splats=splats,
        tilt_range=tilt_range,
    )
    order = np.random.default_rng(training.seed).permutation(len(posed.labels))
    parts = np.split(order, [int(0.9 * len(order))])
    torch.manual_seed(training.seed)
    model = AutoEncoder(config)
    start = time.perf_counter()

    def report(epoch: int, metrics: dict[str, float]) -> None:
        if epoch % 5 == 4 or epoch == 0:
            shown = {k: round(v, 4) for k, v in metrics.items() if k.startswith("val/")}
            print(f"{epoch + 1:4d} {time.perf_counter() - start:5.0f} s {shown}", flush=True)

    fit(
        model,
        *(
            Particles(ArrayImages(posed.images), part, torch.from_numpy(posed.labels[part]))
            for part in parts
        ),
        training,
        affinity=torch.eye(int(posed.labels.max()) + 1),
        on_epoch=report,
    )
    return model


def errors_deg(
    model: AutoEncoder, posed: Posed, names: str | tuple[str, ...]
) -> dict[str, dict[str, float]]:
    """Return the median error, over `all` and by class, of the searched pose and of the guess."""
    model.eval()
    searched, guessed = [], []
    with torch.inference_mode():
        for batch in torch.from_numpy(posed.images).split(BATCH):
            images = model.config.normalisation(batch)
            searched.append(model.infer(images).pose)
            guessed.append(model.encode(images).pose)
    labels = np.array(list(names))[posed.labels]
    medians = {}
    for kind, poses in (("searched", searched), ("encoder's guess", guessed)):
        errors = pose_errors_by_class(torch.cat(poses).double().numpy(), posed.poses, labels)
        overall = np.median(np.concatenate(list(errors.values())))
        by_class = {str(name): float(np.median(each)) for name, each in errors.items()}
        medians[kind] = {"all": float(overall), **by_class}
    return medians


def main(arguments: list[str] | None = None) -> dict[str, dict[str, float]]:
    """Render, train, measure; print and return the median errors in degrees."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=("volumes", "letters"))
    parser.add_argument("--templates", default="../shared/data/templates_10A")
    parser.add_argument("--each", type=int, default=300, help="particles a class")
    parser.add_argument("--box", type=int, default=24)
    parser.add_argument("--voxel", type=float, default=20.0, help="angstrom")
    parser.add_argument("--snr", type=float, default=float("inf"))
    parser.add_argument("--wedge", type=float, default=90.0, help="half tilt range, degrees")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--splats", type=int, default=64)
    parser.add_argument("--gamma", type=float, default=1.0)
    parser.add_argument("--beta", type=float, default=1e-4)
    parser.add_argument("--rate", type=float, default=1e-3, help="learning rate")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--augmentation", choices=("rotate", "none"), default="rotate")
    parser.add_argument("--blind", action="store_true", help="do not tell the model the wedge")
    parser.add_argument("--no-search", action="store_true", help="one pose, by gradients")
    p = parser.parse_args(arguments)
    torch.set_num_threads(1)
    names = VOLUMES if p.kind == "volumes" else LETTERS
    if p.kind == "volumes":
        train_set, test_set = (
            volumes(p.templates, n, p.box, p.voxel, p.seed + i) for i, n in enumerate((p.each, 60))
        )
    else:
        train_set, test_set = letters(p.each, p.box, p.seed), letters(60, p.box, p.seed + 1)
    train_set, test_set = (
        Posed(recorded(s.images, p.snr, p.wedge, p.seed + i).numpy(), s.poses, s.labels)
        for i, s in enumerate((train_set, test_set))
    )
    training = TrainConfig(
        epochs=p.epochs,
        gamma=p.gamma,
        beta=p.beta,
        learning_rate=p.rate,
        samples_per_epoch=512,
        seed=p.seed,
        augmentation=p.augmentation,
    )
    tilt_range = None if p.wedge >= 90 or p.blind else p.wedge
    guess = patch.object(
        AutoEncoder, "find_pose", lambda _model, _z, _images, guess, _wedges: guess
    )
    with guess if p.no_search else nullcontext():
        model = train(train_set, training, p.splats, tilt_range)
    medians = errors_deg(model, test_set, names)
    for kind, each in medians.items():
        told = ", ".join(f"{name} {error:.1f}" for name, error in each.items())
        print(f"{kind}: median error, degrees: {told}", flush=True)
    return medians


if __name__ == "__main__":
    main()
