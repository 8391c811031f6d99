"""Training of the black boxes, supervised classifiers on pixels."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.optim.lr_scheduler import OneCycleLR

from latentlaw.data.particles.loading import LabelledImages, Particles
from latentlaw.losses.balance import balanced_weights
from latentlaw.models.classifier import Classifier
from latentlaw.models.normalisation import Normalisation
from latentlaw.models.resnet import ResNet
from latentlaw.training.batches import augmented, held_out_batches, training_batches
from latentlaw.training.config import TrainConfig


@dataclass(frozen=True)
class Recipe:
    """What keeps a classifier from learning its training images by heart.

    Attributes
    ----------
    label_smoothing
        Share of the target that goes to all classes alike (Szegedy et al. 2016).
    one_cycle
        Whether the learning rate rises to that of the configuration and falls to nothing (Smith
        and Topin 2018), or stays.
    """

    weight_decay: float = 1e-4
    label_smoothing: float = 0.0
    one_cycle: bool = False


REGULARISED = Recipe(weight_decay=0.05, label_smoothing=0.1, one_cycle=True)
BlackBox = Classifier | ResNet
BLACK_BOXES: dict[str, type[BlackBox]] = {"cnn": Classifier, "resnet": ResNet}


def fit_classifier(
    model: BlackBox,
    train: Particles,
    val: Particles,
    config: TrainConfig,
    *,
    normalisation: Normalisation,
    recipe: Recipe | None = None,
    on_epoch: Callable[[int], None] | None = None,
) -> None:
    """Train in place with classes weighed alike; keep the weights of the best validation loss.

    Classes weigh alike (`losses.balance`). `beta`, `gamma`, `tc` and `schedule` of the
    configuration have no meaning here. All images must be labelled.
    """
    recipe = recipe or Recipe()
    generator = torch.Generator().manual_seed(config.seed)
    rate = config.learning_rate
    optimiser = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=recipe.weight_decay)
    device = next(model.parameters()).device
    balance = balanced_weights(train.labels, model.classes).to(device)
    labels = val.labels.to(device)
    shuffled = training_batches(train, config, device)
    steps = config.epochs * len(shuffled.plan())
    cycle = OneCycleLR(optimiser, rate, total_steps=steps) if recipe.one_cycle else None
    best_loss = float("inf")
    best = {name: value.clone() for name, value in model.state_dict().items()}
    for epoch in range(config.epochs):
        model.train()
        for batch in augmented(shuffled, normalisation, config, device, generator):
            loss = balanced_loss(
                model(batch.images), batch.labels, balance, recipe.label_smoothing
            )
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            if cycle:
                cycle.step()
        batches = held_out_batches(val, normalisation, device)
        loss = balanced_loss(predict_logits(model, batches), labels, balance)
        if float(loss) < best_loss:
            best_loss = float(loss)
            best = {name: value.clone() for name, value in model.state_dict().items()}
        if on_epoch:
            on_epoch(epoch)
    model.load_state_dict(best)
    model.eval()


def balanced_loss(
    logits: Tensor, labels: Tensor, balance: Tensor, label_smoothing: float = 0.0
) -> Tensor:
    """Return the mean cross-entropy of images that weigh as their class does.

    PyTorch's own class weights also weigh the share that smoothing gives to each class, so that a
    rare class would be pushed on all images.

    Parameters
    ----------
    logits, labels
        `(n, K)` and `(n,)`.
    balance
        Weight of each class, `(K,)`.
    label_smoothing
        Share of the target that all classes have alike.
    """
    losses = cross_entropy(logits, labels, reduction="none", label_smoothing=label_smoothing)
    weights = balance[labels]
    return (losses * weights).sum() / weights.sum()


def predict_logits(model: BlackBox, batches: Iterable[LabelledImages]) -> Tensor:
    """Return logits `(n, classes)` of batches of normalised images."""
    model.eval()
    with torch.inference_mode():
        return torch.cat([model(batch.images) for batch in batches])
