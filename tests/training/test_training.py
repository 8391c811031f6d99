"""Training: a step that learns, repeats with its seed, and stops when it cannot go on."""

from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
import torch
from latentlaw.data.particles.loading import ArrayImages, Indices, LabelledImages, Particles
from latentlaw.data.particles.stack import open_stack
from latentlaw.data.particles.writer import new_stack
from latentlaw.errors import DataError
from latentlaw.geometry.rotations import random_rotations
from latentlaw.geometry.wedges import Wedges, apply_wedges
from latentlaw.models.classifier import Classifier
from latentlaw.models.config import Family, ModelConfig
from latentlaw.models.normalisation import Normalisation
from latentlaw.models.vae import AutoEncoder
from latentlaw.tracking.names import LOSS_TERMS
from latentlaw.training import loop
from latentlaw.training.augmentation import Wedge
from latentlaw.training.batches import held_out_batches
from latentlaw.training.classifier import fit_classifier, predict_logits
from latentlaw.training.config import TrainConfig
from latentlaw.training.loop import fit, weights_by_epoch
from latentlaw.training.objective import LossWeights, loss_terms
from latentlaw.training.seeds import seeded_initialisation
from latentlaw.training.state import TrainState
from numpy.typing import NDArray
from torch.nn.functional import binary_cross_entropy

QUICK = TrainConfig(epochs=3, batch_size=16, samples_per_epoch=64, learning_rate=3e-3)


def stripes(n: int, seed: int = 0) -> Particles:
    """Images of one or of three bars, which no rotation turns into one another."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % 2
    images = 0.1 * torch.randn(n, 1, 16, 16, generator=generator)
    images[labels == 0, :, :, 7:9] += 2
    for at in (3, 8, 13):
        images[labels == 1, :, :, at] += 2
    return Particles(ArrayImages(images.numpy()), np.arange(n), labels)


def network(family: str, seed: int = 0) -> AutoEncoder:
    with seeded_initialisation(seed):
        return AutoEncoder(
            ModelConfig.model_validate(
                {
                    "family": family,
                    "image_shape": (1, 16, 16),
                    "pose_dims": 2 if family == "affinity-vae" else 0,
                    "channels": 4,
                    "depth": 2,
                }
            )
        )


@pytest.mark.parametrize("family", ["affinity-vae", "beta-vae", "tc-vae", "autoencoder"])
def test_every_family_learns(family: str) -> None:
    seen: list[dict[str, float]] = []
    affinity = torch.tensor([[1.0, -1], [-1, 1]]) if family == "affinity-vae" else None
    config = QUICK.model_copy(update={"gamma": 1.0})
    fit(
        network(family),
        stripes(40),
        stripes(20, 1),
        config,
        affinity=affinity,
        on_epoch=lambda _, metrics: seen.append(metrics),
    )
    assert seen[-1]["train/reconstruction"] < seen[0]["train/reconstruction"]
    assert ("train/affinity" in seen[0]) == (family == "affinity-vae")
    assert ("train/kl" in seen[0]) == (family != "autoencoder")


def test_cross_entropy_falls_below_that_of_the_mean_image() -> None:
    seen: list[dict[str, float]] = []
    changes = {"reconstruction": "bce", "normalisation": Normalisation(kind="unit")}
    model = AutoEncoder(network("autoencoder").config.model_copy(update=changes))
    train = stripes(40)
    config = QUICK.model_copy(update={"augmentation": "none", "epochs": 20, "learning_rate": 1e-2})
    fit(model, train, stripes(20, 1), config, on_epoch=lambda _, metrics: seen.append(metrics))
    images = Normalisation(kind="unit")(torch.from_numpy(stripes(20, 1)[:20]))
    mean = images.mean(dim=0).expand_as(images)
    constant = binary_cross_entropy(mean, images)
    assert seen[-1]["val/reconstruction"] < float(constant)


def test_the_estimator_of_the_configuration_is_the_one_that_counts() -> None:
    found: dict[str, dict[str, float]] = {}
    for estimator in ("stratified", "weighted"):
        unweighted = {"epochs": 1, "beta": 0.0, "tc": 0.0, "tc_estimator": estimator}
        config = QUICK.model_copy(update=unweighted)
        fit(
            network("tc-vae"),
            stripes(40),
            stripes(20, 1),
            config,
            on_epoch=lambda _, metrics, name=estimator: found.update({name: metrics}),
        )
    difference = (
        found["weighted"]["train/total_correlation"]
        - found["stratified"]["train/total_correlation"]
    )
    # Both see the same samples; the weighted estimate is high by (d - 1) log N.
    assert difference == pytest.approx(7 * np.log(40), rel=0.1)


def test_volumes_keep_channels_last_through_every_layer() -> None:
    config = ModelConfig(
        family="beta-vae", image_shape=(1, 16, 16, 16), pose_dims=0, channels=4, depth=2
    )
    model, images = AutoEncoder(config), np.zeros((4, 1, 16, 16, 16), np.float32)
    data = Particles.unlabelled(ArrayImages(images), np.arange(4))
    TrainState.begin(model, data, QUICK)
    volumes, hidden = torch.from_numpy(images), torch.zeros(4, 8, 4, 4, 4)
    for start, layers in ((volumes, model.encoder.body), (hidden, model.decoder.layers)):
        for layer in layers:
            start = layer(start)
            assert start.is_contiguous(memory_format=torch.channels_last_3d)
            assert not start.is_contiguous()


def test_same_seed_gives_the_same_weights() -> None:
    states = []
    for _ in range(2):
        model = network("beta-vae")
        fit(model, stripes(40), stripes(20, 1), QUICK)
        states.append(model.state_dict())
    for name, value in states[0].items():
        torch.testing.assert_close(value, states[1][name], rtol=0, atol=0)


def test_a_stack_on_disk_trains_as_one_in_memory(tmp_path: Path) -> None:
    memory = stripes(40)
    with new_stack(tmp_path / "s.particles.zarr", item_shape=(1, 16, 16)) as writer:
        writer.append(memory[:], pd.DataFrame(index=range(40)))
    disk = Particles(open_stack(tmp_path / "s.particles.zarr").images, memory.rows, memory.labels)
    states = []
    for data in (memory, disk):
        model = network("beta-vae")
        fit(model, data, data, QUICK)
        states.append(model.state_dict())
    for name, value in states[0].items():
        torch.testing.assert_close(value, states[1][name], rtol=0, atol=0)


def test_no_more_than_a_batch_is_read_at_once() -> None:
    reads: list[int] = []

    class Watched(ArrayImages):
        def read_into(self, out: NDArray[np.float32], rows: Indices) -> None:
            reads.append(len(rows))
            super().read_into(out, rows)

    data = stripes(40)
    watched = Particles(Watched(data[:]), data.rows, data.labels)
    fit(network("beta-vae"), watched, watched, QUICK)
    # 64 samples an epoch in training and 40 in validation, three times over.
    assert sum(reads) == 3 * (64 + 40)
    assert max(reads) == QUICK.batch_size


def test_affinity_pulls_classes_apart() -> None:
    config = QUICK.model_copy(update={"gamma": 2.0, "epochs": 12})
    model = network("affinity-vae")
    last: dict[str, float] = {}
    fit(
        model,
        stripes(40),
        stripes(20, 1),
        config,
        affinity=torch.tensor([[1.0, -1], [-1, 1]]),
        on_epoch=lambda _, metrics: last.update(metrics),
    )
    assert last["val/affinity"] < 0.3


def test_unlabelled_particles_train_too() -> None:
    data = stripes(40)
    unlabelled = Particles.unlabelled(data.source, data.rows)
    last: dict[str, float] = {}
    fit(
        network("affinity-vae"),
        unlabelled,
        stripes(20, 1),
        QUICK.model_copy(update={"gamma": 1.0}),
        affinity=torch.eye(2),
        on_epoch=lambda _, metrics: last.update(metrics),
    )
    assert last["train/affinity"] == 0
    assert last["train/reconstruction"] > 0


def test_loss_that_is_not_finite_stops_with_a_message() -> None:
    data = stripes(40)
    assert isinstance(data.source, ArrayImages)
    data.source.images[:] = float("inf")
    with pytest.raises(DataError, match="not finite in 3 steps"):
        fit(
            network("beta-vae"),
            data,
            stripes(20, 1),
            QUICK.model_copy(update={"max_skipped": 2}),
        )


def splat_network(tilt_range: float | None) -> AutoEncoder:
    with seeded_initialisation(0):
        return AutoEncoder(
            ModelConfig(
                family="autoencoder",
                image_shape=(1, 8, 8, 8),
                pose_dims=4,
                depth=1,
                decoder="splat",
                splats=8,
                tilt_range=tilt_range,
            )
        )


def test_weights_by_epoch_are_those_of_the_schedule() -> None:
    config = QUICK.model_copy(update={"epochs": 6, "schedule": "ramp", "beta": 3.0, "gamma": 6.0})
    found = weights_by_epoch(config)
    assert [weights.beta for weights in found] == [0, 1, 2, 3, 3, 3]
    assert [weights.gamma for weights in found] == [0, 2, 4, 6, 6, 6]


@pytest.mark.parametrize("family", get_args(Family))
def test_the_loss_is_the_sum_of_its_terms_by_weight(family: Family) -> None:
    config = {"family": family, "image_shape": (1, 8, 8), "pose_dims": 0, "depth": 1}
    batch = LabelledImages(torch.randn(6, 1, 8, 8), torch.arange(6) % 2)
    terms = loss_terms(
        AutoEncoder(ModelConfig.model_validate(config)),
        batch,
        LossWeights(beta=0.1, gamma=2.0, tc=0.3),
        torch.eye(2) if family == "affinity-vae" else None,
        dataset_size=6,
        generator=torch.Generator(),
    )
    assert set(terms) <= set(LOSS_TERMS)
    by_weight = {"reconstruction": 1.0, "affinity": 2.0}
    if family == "tc-vae":
        by_weight |= {
            "mutual_information": 0.1,
            "dimension_wise_kl": 0.1,
            "total_correlation": 0.3,
        }
    elif family != "autoencoder":
        by_weight["kl"] = 0.1
    total = sum(weight * terms[name] for name, weight in by_weight.items() if name in terms)
    torch.testing.assert_close(terms["loss"], total)


def test_loss_is_of_what_the_turned_wedges_leave_of_the_output() -> None:
    generator = torch.Generator().manual_seed(0)
    images, labels = torch.randn(4, 1, 8, 8, 8, generator=generator), torch.zeros(4).long()
    wedges = Wedges.unturned(4, 60).turned(random_rotations(4, 3, generator))
    model, weights = splat_network(60), LossWeights(0, 0, 0)
    batch = LabelledImages(apply_wedges(images, wedges), labels, wedges)
    terms = loss_terms(model, batch, weights, None, dataset_size=4, generator=generator)
    encoding = model.encode(batch.images)
    pose = model.find_pose(encoding.mu, batch.images, encoding.pose, wedges)
    output = model.decode(encoding.mu, pose).detach()
    left = (apply_wedges(output, wedges) - batch.images).square().mean()
    torch.testing.assert_close(terms["reconstruction"].detach(), left)
    assert float((output - batch.images).square().mean() - left) > 1e-4


def test_training_images_bring_their_wedges_and_validation_has_the_microscopes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[tuple[bool, Wedges | None]] = []

    def watched(model: AutoEncoder, batch: LabelledImages, *rest: Any, **kw: Any) -> Any:
        seen.append((model.training, batch.wedges))
        return loss_terms(model, batch, *rest, **kw)

    monkeypatch.setattr(loop, "loss_terms", watched)
    volumes = np.random.default_rng(0).normal(size=(16, 1, 8, 8, 8)).astype(np.float32)
    particles = Particles(ArrayImages(volumes), np.arange(16), torch.arange(16) % 2)
    once = QUICK.model_copy(update={"epochs": 1, "wedge": Wedge(), "samples_per_epoch": 16})
    fit(splat_network(60), particles, particles, once)
    fit(splat_network(None), particles, particles, once)
    turned, recorded, *not_known = seen
    assert turned[0]
    assert turned[1] is not None
    assert turned[1].frames.shape == (16, 2, 3, 3)  # the microscope's, and one that was drawn
    assert float(turned[1].tilt_ranges_deg[:, 0].min()) == 60
    assert recorded == (False, None)
    assert not_known == [(True, None), (False, None)]


def test_classifier_learns() -> None:
    with seeded_initialisation(0):
        model = Classifier(network("beta-vae").config, 2)
    normalisation = Normalisation()
    config = QUICK.model_copy(update={"epochs": 40})
    fit_classifier(model, stripes(40), stripes(20, 1), config, normalisation=normalisation)
    test = stripes(30, 2)
    batches = held_out_batches(test, normalisation, torch.device("cpu"), batch_size=16)
    predicted = predict_logits(model, batches).argmax(1)
    assert float((predicted == test.labels).float().mean()) > 0.9


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_learns_what_full_precision_does(precision: str) -> None:
    losses = {}
    for name in ("fp32", precision):
        seen: dict[int, dict[str, float]] = {}
        config = QUICK.model_copy(update={"precision": name})
        fit(
            network("beta-vae"),
            stripes(40),
            stripes(20, 1),
            config,
            on_epoch=seen.__setitem__,
        )
        losses[name] = seen[2]["val/loss"]
    assert losses["fp32"] != losses[precision]
    assert losses[precision] == pytest.approx(losses["fp32"], rel=0.05)


def test_patience_stops_a_run_that_no_longer_gains() -> None:
    epochs: list[int] = []
    config = QUICK.model_copy(update={"epochs": 50, "learning_rate": 1e-12, "patience": 2})
    noise = Particles.unlabelled(stripes(40).source, np.arange(40))
    best = fit(
        network("beta-vae"),
        noise,
        stripes(20, 1),
        config,
        on_epoch=lambda epoch, _: epochs.append(epoch),
    )
    assert len(epochs) == best + 3
