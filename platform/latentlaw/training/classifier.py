"""Training of the black box, a supervised classifier on pixels."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from latentlaw.models.classifier import Classifier
from latentlaw.training.batches import LabelledImages, augmented_batches
from latentlaw.training.config import TrainConfig


def fit_classifier(
    model: Classifier,
    train: LabelledImages,
    val: LabelledImages,
    config: TrainConfig,
    *,
    on_epoch: Callable[[int], None] | None = None,
) -> None:
    """Train in place with classes weighed alike; keep the weights of the best validation loss.

    `beta`, `gamma`, `tc` and `schedule` of the configuration have no meaning here. All images
    must be labelled.
    """
    generator = torch.Generator().manual_seed(config.seed)
    optimiser = torch.optim.AdamW(model.parameters(), lr=config.learning_rate, weight_decay=1e-4)
    counts = torch.bincount(train.labels).float()
    balance = (counts.sum() / counts.clamp_min(1) / len(counts)).to(train.images.device)
    best_loss = float("inf")
    best = {name: value.clone() for name, value in model.state_dict().items()}
    for epoch in range(config.epochs):
        model.train()
        for batch in augmented_batches(
            train,
            batch_size=config.batch_size,
            samples=max(len(train), config.samples_per_epoch),
            augmentation=config.augmentation,
            generator=generator,
        ):
            loss = cross_entropy(model(batch.images), batch.labels, weight=balance)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
        loss = cross_entropy(predict_logits(model, val.images), val.labels, weight=balance)
        if float(loss) < best_loss:
            best_loss = float(loss)
            best = {name: value.clone() for name, value in model.state_dict().items()}
        if on_epoch:
            on_epoch(epoch)
    model.load_state_dict(best)
    model.eval()


def predict_logits(model: Classifier, images: Tensor, batch_size: int = 256) -> Tensor:
    """Return logits `(n, classes)` of normalised images `(n, c, [z,] y, x)`."""
    model.eval()
    with torch.inference_mode():
        return torch.cat([model(batch) for batch in images.split(batch_size)])
