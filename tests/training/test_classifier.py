import numpy as np
import pytest
import torch
from latentlaw.data.particles.loading import ArrayImages, Particles
from latentlaw.losses.balance import balanced_weights
from latentlaw.models.classifier import Classifier
from latentlaw.models.config import ModelConfig
from latentlaw.models.normalisation import Normalisation
from latentlaw.training.classifier import REGULARISED, balanced_loss, fit_classifier
from latentlaw.training.config import TrainConfig
from torch.nn.functional import cross_entropy


def test_without_smoothing_the_loss_is_the_weighted_cross_entropy():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(20, 3, generator=generator)
    labels = torch.randint(3, (20,), generator=generator)
    weights = torch.tensor([1.0, 5.0, 0.5])
    torch.testing.assert_close(
        balanced_loss(logits, labels, weights), cross_entropy(logits, labels, weight=weights)
    )


def test_smoothed_labels_do_not_push_a_rare_class():
    """Without images to tell by, the best logits of balanced classes are equal ones."""
    labels = torch.tensor([0] * 40 + [1])
    weights = balanced_weights(labels, 2)
    logits = torch.zeros(1, 2, requires_grad=True)
    balanced_loss(logits.expand(41, 2), labels, weights, 0.1).backward()
    torch.testing.assert_close(logits.grad, torch.zeros(1, 2), atol=1e-6, rtol=0)
    plain = torch.zeros(1, 2, requires_grad=True)
    cross_entropy(plain.expand(41, 2), labels, weight=weights, label_smoothing=0.1).backward()
    assert plain.grad is not None
    assert plain.grad.abs().max() > 0.1


@pytest.mark.parametrize("rare", [3, 30])
def test_a_rare_class_is_learned_by_the_recipe(rare):
    generator = np.random.default_rng(0)
    images = generator.normal(0, 0.3, (60 + rare, 1, 8, 8)).astype(np.float32)
    images[60:, :, 2:6, 2:6] += 2
    labels = torch.tensor([0] * 60 + [1] * rare)
    data = Particles(ArrayImages(images), np.arange(len(images)), labels)
    config = ModelConfig(
        family="tc-vae", image_shape=(1, 8, 8), latent_dims=2, pose_dims=0, depth=1, norm="none"
    )
    torch.manual_seed(0)
    model = Classifier(config, 2)
    training = TrainConfig(
        epochs=8, batch_size=16, learning_rate=5e-3, samples_per_epoch=256, augmentation="none"
    )
    raw = Normalisation(kind="global")
    fit_classifier(model, data, data, training, normalisation=raw, recipe=REGULARISED)
    with torch.no_grad():
        answers = model(raw(torch.from_numpy(images))).argmax(dim=1)
    recalls = [float((answers[labels == k] == k).float().mean()) for k in (0, 1)]
    assert min(recalls) > 0.9
    assert not model.training
