"""From parameters to a bundle: data, prior and model set up, fitted, and a head on the latents."""

from dataclasses import dataclass

import torch
from latentlaw.data.particles.splits import TRAIN, VAL
from latentlaw.data.particles.stack import ParticleStack, open_stack
from latentlaw.evaluation.embed import embed
from latentlaw.evaluation.head.head import LatentHead, fit_head
from latentlaw.models.vae import AutoEncoder
from latentlaw.serving.bundle import Bundle
from latentlaw.tracking.names import SCHEDULE
from latentlaw.tracking.recording.runs import log_data, log_json, tag_run
from latentlaw.training.config import TrainConfig
from latentlaw.training.devices import pick_device
from latentlaw.training.keeping import Keeper
from latentlaw.training.loop import EpochCallback, fit, weights_by_epoch
from latentlaw.training.prepare import PreparedData, prepare
from latentlaw.training.ranks import ALONE, Ranks
from latentlaw.training.seeds import seeded_initialisation

from pipelines.cli.command import ProgressBar
from pipelines.training.choices import check_box, model_config, train_config
from pipelines.training.parameters import Train
from pipelines.training.prior import Prior


@dataclass(frozen=True)
class Setup:
    """What a training begins with."""

    stack: ParticleStack
    data: PreparedData
    model: AutoEncoder
    training: TrainConfig
    prior: Prior | None

    @property
    def matrix(self) -> torch.Tensor | None:
        """Affinity that is trained on, `(classes, classes)`, or None."""
        return None if self.prior is None else self.prior.matrix


def set_up(p: Train) -> Setup:
    """Open and split the data, and make the model on its device."""
    stack = open_stack(p.data)
    shape = stack.images.shape[1:]
    check_box(p, shape)
    data = prepare(stack, seed=p.seed, hold_out=p.hold_out or (), fold=p.fold)
    prior = None
    if p.affinity is not None and p.model == "affinity-vae":
        prior = Prior.read(p.affinity, data.class_names, p.affinity_projection)
    config = model_config(p, data)
    with seeded_initialisation(p.seed):
        model = AutoEncoder(config)
    return Setup(stack, data, model.to(pick_device(p.device)), train_config(p, shape), prior)


def log_set_up(p: Train, made: Setup) -> None:
    """Log what data, prior and model are, and the weights of the loss by epoch."""
    if made.prior is not None:
        made.prior.log()
    log_data(p.data, made.stack.digest, made.stack.table, "training")
    tag_run(family=p.model)
    weights = weights_by_epoch(made.training)
    log_json(SCHEDULE, {name: [getattr(w, name) for w in weights] for name in ("beta", "gamma")})


def train_bundle(
    p: Train, made: Setup, tell: EpochCallback, keeper: Keeper | None, ranks: Ranks = ALONE
) -> tuple[Bundle, int]:
    """Train the model, fit the classifier head, and return both and the best epoch.

    `tell` hears of each epoch.
    """
    progress = ProgressBar()

    def on_epoch(epoch: int, metrics: dict[str, float]) -> None:
        tell(epoch, metrics)
        progress(epoch + 1, p.epochs, f"train {p.model}")

    best = fit_model(made, on_epoch, keeper, ranks)
    head = trained_head(made.model, made.data)
    return Bundle(made.model.cpu(), head), best


def fit_model(made: Setup, tell: EpochCallback | None, keeper: Keeper | None, ranks: Ranks) -> int:
    """Train the model with the other processes, which then part; return the best epoch."""
    model, data, matrix = made.model, made.data, made.matrix
    best = fit(
        model,
        data.particles(data.rows(TRAIN)),
        data.particles(data.rows(VAL)),
        made.training,
        # On the device once; the loss reads it in every step.
        affinity=None if matrix is None else matrix.to(next(model.parameters()).device),
        on_epoch=tell,
        keeper=keeper,
        ranks=ranks,
    )
    ranks.leave()
    return best


def trained_head(model: AutoEncoder, data: PreparedData) -> LatentHead:
    """Fit a head on the latents of labelled training particles."""
    rows = data.rows(TRAIN, labelled=True)
    codes = embed(model, data.particles(rows)).mu
    held_out = data.rows(VAL)
    known = data.labels[held_out] != ""  # who knows what the others are
    held_out_codes = embed(model, data.particles(held_out)).mu[known]
    return fit_head(codes, data.labels[rows], held_out_codes)
