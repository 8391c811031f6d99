"""The latents of the classes to tell apart, by split, and what each of them means."""

import numpy as np
import pandas as pd
from latentlaw.data.particles.splits import TEST, TRAIN, VAL
from latentlaw.data.particles.stack import ParticleStack
from latentlaw.data.particles.tasks import task_labels
from latentlaw.discovery.latents import LatentData, LatentSplit
from latentlaw.evaluation.embed import Embedding, embed
from latentlaw.evaluation.head.head import LatentHead, fit_head
from latentlaw.evaluation.meanings.latent_meanings import Meaning, latent_meanings
from latentlaw.models.vae import AutoEncoder
from latentlaw.serving.bundle import Bundle
from latentlaw.tracking.reading.splits import load_split
from latentlaw.tracking.say import say
from latentlaw.training.prepare import PreparedData
from numpy.typing import NDArray

from pipelines.discovery.parameters import Discover


def told_apart(
    p: Discover, bundle: Bundle, stack: ParticleStack
) -> tuple[PreparedData, Embedding, LatentHead]:
    """Return the data with the classes of the task, its latents, and a head for those classes."""
    labels = stack.table["label"].fillna("").to_numpy(dtype=str)
    names, head = list(bundle.head.class_names), bundle.head
    if p.classes is not None:
        labels = task_labels(labels, p.classes)
        names = sorted(set(labels.tolist()) - {""})
    data = PreparedData(stack.images, labels, load_split(p.model, stack), names)
    codes = embed(bundle.model, data.images)
    if p.classes is not None:
        rows = data.rows(TRAIN, labelled=True)
        head = fit_head(codes.mu[rows], labels[rows], codes.mu[data.known_rows(VAL)])
    return data, codes, head


def latent_data(
    data: PreparedData, codes: Embedding, groups: NDArray[np.int64] | None = None
) -> LatentData:
    """Latents of the three splits, and the group `(n,)` of each particle."""
    splits = []
    for name in (TRAIN, VAL, TEST):
        rows = data.known_rows(name)
        own = None if groups is None else groups[rows]
        splits.append(LatentSplit(codes.mu[rows], data.indices(rows), own))
    names = tuple(f"z{i}" for i in range(codes.mu.shape[1]))
    return LatentData(splits[0], splits[1], splits[2], tuple(data.class_names), names)


def name_latents(
    data: PreparedData, codes: Embedding, features: pd.DataFrame, model: AutoEncoder
) -> list[Meaning]:
    """Name latents by the features of test images, and say which are named or collapsed."""
    rows = data.rows(TEST)
    meanings = latent_meanings(
        codes.rows(rows), features.iloc[rows], variational=model.config.variational
    )
    said = [f"{each.latent} {each.text}" for each in meanings if each.text]
    say(f"discover: {'; '.join(said) or 'no latent goes with one image feature'}")
    return meanings
