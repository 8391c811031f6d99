"""Invariance: the latent stays where it is when the particle turns."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import cosine_similarity

from latentlaw.evaluation.embed import embed
from latentlaw.geometry.rotations import random_rotations
from latentlaw.geometry.volumes import rotate_images
from latentlaw.models.vae import AutoEncoder


def latent_cosine_under_rotation(model: AutoEncoder, images: NDArray[Any], *, seed: int) -> float:
    """Mean cosine of the latents of a particle and of the same particle turned at random.

    1 is full invariance. Images are turned about their centre voxel with linear interpolation.

    Parameters
    ----------
    images
        Raw images `(n, c, [z,] y, x)`.
    """
    generator = torch.Generator().manual_seed(seed)
    raw = torch.as_tensor(np.asarray(images), dtype=torch.float32)
    # Normalised first, so that the corners which turn into the box hold the mean, 0.
    upright = model.config.normalisation(raw)
    turned = rotate_images(upright, random_rotations(len(raw), raw.ndim - 2, generator))
    device = next(model.parameters()).device
    model.eval()
    with torch.inference_mode():
        mu = torch.cat([model.encode(batch.to(device)).mu for batch in turned.split(128)])
    original = torch.as_tensor(embed(model, images).mu, device=device)
    return float(cosine_similarity(original, mu, dim=-1).mean())
