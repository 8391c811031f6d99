"""The loss of every model family, from the terms in `losses`."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from latentlaw.data.particles.loading import LabelledImages
from latentlaw.losses.affinity import affinity_loss
from latentlaw.losses.divergence import TCEstimator, decompose_kl, kl_divergence
from latentlaw.losses.pose import pose_loss
from latentlaw.losses.reconstruction import reconstruction_loss
from latentlaw.models.vae import AutoEncoder, Encoding
from latentlaw.training.devices import Precision, autocast
from latentlaw.training.ranks import ALONE, Ranks


@dataclass(frozen=True)
class LossWeights:
    """Loss weights of one epoch."""

    beta: float
    gamma: float
    tc: float


def loss_terms(
    model: AutoEncoder,
    batch: LabelledImages,
    weights: LossWeights,
    affinity: Tensor | None,
    *,
    dataset_size: int,
    generator: torch.Generator,
    precision: Precision = "fp32",
    tc_estimator: TCEstimator = "stratified",
    ranks: Ranks = ALONE,
) -> dict[str, Tensor]:
    """Return `loss` and its unweighted terms, scalars.

    `L = R + beta KL + gamma affinity` (arXiv 2209.04517); for a tc-vae
    `L = R + beta (MI + dimension-wise KL) + tc TC` (arXiv 1802.04942). A plain autoencoder has R
    alone. An explicit pose is searched, and adds the term by which the encoder learns to find it.
    Where the tilt range is known, R compares with what the tilt series would show of the output.

    Parameters
    ----------
    model
        Whose loss it is.
    batch
        Normalised images `(n, c, [z,] y, x)`, their labels and wedges.
    weights
        Of the terms, this epoch.
    affinity
        `(classes, classes)`, or None where there is no prior.
    dataset_size
        Number of training particles, for the estimate of the total correlation.
    generator
        Of the latents' noise.
    precision
        Of the network; the terms are in fp32.
    tc_estimator
        Of the parts of a tc-vae's KL.
    ranks
        Processes that have a part of the batch each. Terms of pairs are of the whole batch,
        others of this part; their means over the processes are the terms of the whole.
    """
    config = model.config
    with autocast(precision, batch.images.device):
        encoding = _in_fp32(model.encode(batch.images))
    whole = replace(encoding, mu=ranks.gather(encoding.mu), logvar=ranks.gather(encoding.logvar))
    samples = model.sample(whole, generator)
    z = samples[ranks.part(len(samples))]
    pose = model.find_pose(z, batch.images, encoding.pose, batch.wedges)
    with autocast(precision, batch.images.device):
        output = model.decode(z, pose).float()
    output = model.record(output, batch.wedges)
    terms = {"reconstruction": reconstruction_loss(output, batch.images, config.reconstruction)}
    loss = terms["reconstruction"]
    if config.explicit_pose:
        terms["pose"] = pose_loss(encoding.pose, pose)
        loss = loss + terms["pose"]
    if config.family == "tc-vae":
        parts = decompose_kl(samples, whole.mu, whole.logvar, dataset_size, tc_estimator)
        terms["mutual_information"] = parts.mutual_information
        terms["total_correlation"] = parts.total_correlation
        terms["dimension_wise_kl"] = parts.dimension_wise
        loss = loss + weights.beta * (parts.mutual_information + parts.dimension_wise)
        loss = loss + weights.tc * parts.total_correlation
    if config.variational:
        terms["kl"] = kl_divergence(encoding.mu, encoding.logvar)
        if config.family != "tc-vae":
            loss = loss + weights.beta * terms["kl"]
    if affinity is not None:
        terms["affinity"] = affinity_loss(whole.mu, ranks.gather(batch.labels), affinity)
        loss = loss + weights.gamma * terms["affinity"]
    return {"loss": loss, **terms}


def _in_fp32(encoding: Encoding) -> Encoding:
    return Encoding(encoding.mu.float(), encoding.logvar.float(), encoding.pose.float())
