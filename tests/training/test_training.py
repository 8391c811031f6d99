"""Training: a step that learns, repeats with its seed, and stops when it cannot go on."""

import pytest
import torch
from latentlaw.errors import DataError
from latentlaw.models.classifier import Classifier
from latentlaw.models.config import ModelConfig
from latentlaw.models.vae import AutoEncoder
from latentlaw.training.batches import LabelledImages, augmented_batches, draw_transforms
from latentlaw.training.classifier import fit_classifier, predict_logits
from latentlaw.training.config import TrainConfig
from latentlaw.training.loop import fit
from latentlaw.training.seeds import seeded_initialisation

QUICK = TrainConfig(epochs=3, batch_size=16, samples_per_epoch=64, learning_rate=3e-3)


def stripes(n: int, seed: int = 0) -> LabelledImages:
    """Images of one or of three bars, which no rotation turns into one another."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % 2
    images = 0.1 * torch.randn(n, 1, 16, 16, generator=generator)
    images[labels == 0, :, :, 7:9] += 2
    for at in (3, 8, 13):
        images[labels == 1, :, :, at] += 2
    return LabelledImages(images, labels)


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


def test_same_seed_gives_the_same_weights() -> None:
    states = []
    for _ in range(2):
        model = network("beta-vae")
        fit(model, stripes(40), stripes(20, 1), QUICK)
        states.append(model.state_dict())
    for name, value in states[0].items():
        torch.testing.assert_close(value, states[1][name], rtol=0, atol=0)


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
    unlabelled = LabelledImages(data.images, torch.full((40,), -1))
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
    data.images[0] = float("inf")
    with pytest.raises(DataError, match="no longer finite"):
        fit(network("beta-vae"), data, stripes(20, 1), QUICK)


def test_batches_pass_over_everything_and_skip_a_last_single() -> None:
    data = LabelledImages(torch.arange(9.0).view(9, 1, 1, 1), torch.arange(9))
    generator = torch.Generator().manual_seed(0)
    batches = list(
        augmented_batches(data, batch_size=4, samples=9, augmentation="none", generator=generator)
    )
    assert [len(batch) for batch in batches] == [4, 4]
    twice = augmented_batches(
        data, batch_size=9, samples=18, augmentation="none", generator=generator
    )
    assert all(sorted(batch.labels.tolist()) == list(range(9)) for batch in twice)


def test_flips_mirror_half_of_the_images() -> None:
    matrices = draw_transforms("rotate-flip", 400, 2, torch.Generator().manual_seed(0))
    assert matrices is not None
    mirrored = (torch.linalg.det(matrices) < 0).float().mean()
    assert float(mirrored) == pytest.approx(0.5, abs=0.1)
    assert draw_transforms("none", 4, 2, torch.Generator()) is None


def test_classifier_learns() -> None:
    with seeded_initialisation(0):
        model = Classifier(network("beta-vae").config, 2)
    fit_classifier(model, stripes(40), stripes(20, 1), QUICK.model_copy(update={"epochs": 40}))
    test = stripes(30, 2)
    assert (
        float((predict_logits(model, test.images).argmax(1) == test.labels).float().mean()) > 0.9
    )
