"""Training of the black boxes, supervised classifiers on pixels."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from latentlaw.data.loading import LabelledImages, Particles
from latentlaw.losses.balance import balanced_weights
from latentlaw.models.classifier import Classifier
from latentlaw.models.normalisation import Normalisation
from latentlaw.models.resnet import ResNet
from latentlaw.training.batches import augmented, held_out_batches, training_batches
from latentlaw.training.config import TrainConfig

BlackBox = Classifier | ResNet
BLACK_BOXES: dict[str, type[BlackBox]] = {"cnn": Classifier, "resnet": ResNet}


def fit_classifier(
    model: BlackBox,
    train: Particles,
    val: Particles,
    config: TrainConfig,
    *,
    normalisation: Normalisation,
    on_epoch: Callable[[int], None] | None = None,
) -> None:
    """Train in place with classes weighed alike; keep the weights of the best validation loss.

    Classes weigh alike (`losses.balance`). `beta`, `gamma`, `tc` and `schedule` of the
    configuration have no meaning here. All images must be labelled.
    """
    generator = torch.Generator().manual_seed(config.seed)
    optimiser = torch.optim.AdamW(model.parameters(), lr=config.learning_rate, weight_decay=1e-4)
    device = next(model.parameters()).device
    balance = balanced_weights(train.labels, model.classes).to(device)
    labels = val.labels.to(device)
    shuffled = training_batches(train, config, device)
    best_loss = float("inf")
    best = {name: value.clone() for name, value in model.state_dict().items()}
    for epoch in range(config.epochs):
        model.train()
        for batch in augmented(shuffled, normalisation, config, device, generator):
            loss = cross_entropy(model(batch.images), batch.labels, weight=balance)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
        batches = held_out_batches(val, normalisation, device)
        loss = cross_entropy(predict_logits(model, batches), labels, weight=balance)
        if float(loss) < best_loss:
            best_loss = float(loss)
            best = {name: value.clone() for name, value in model.state_dict().items()}
        if on_epoch:
            on_epoch(epoch)
    model.load_state_dict(best)
    model.eval()


def predict_logits(model: BlackBox, batches: Iterable[LabelledImages]) -> Tensor:
    """Return logits `(n, classes)` of batches of normalised images."""
    model.eval()
    with torch.inference_mode():
        return torch.cat([model(batch.images) for batch in batches])
