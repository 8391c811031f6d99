"""Invariance: the latent stays where it is when the particle turns."""

import torch
from torch.nn.functional import cosine_similarity

from latentlaw.evaluation.embed import Images, embed
from latentlaw.geometry.rotations import random_rotations
from latentlaw.geometry.volumes import rotate_images
from latentlaw.models.vae import AutoEncoder

_BATCH = 128


def latent_cosine_under_rotation(model: AutoEncoder, images: Images, *, seed: int) -> float:
    """Mean cosine of the latents of a particle and of the same particle turned at random.

    1 is full invariance. Images are turned about their centre voxel with linear interpolation.

    Parameters
    ----------
    model
        Encodes the images.
    images
        Raw images `(n, c, [z,] y, x)`.
    seed
        Of the turns.
    """
    generator = torch.Generator().manual_seed(seed)
    original = torch.from_numpy(embed(model, images).mu)
    turns = random_rotations(len(images), model.config.dims, generator)
    device, normalisation = next(model.parameters()).device, model.config.normalisation
    model.eval()
    cosines = []
    with torch.inference_mode():
        for start in range(0, len(images), _BATCH):
            part = slice(start, start + _BATCH)
            raw = torch.as_tensor(images[part], dtype=torch.float32, device=device)
            # Scaled first, so that the corners which turn into the box hold the background, 0.
            turned = rotate_images(normalisation.scaled(raw), turns[part])
            mu = model.encode(normalisation.aligned(turned)).mu.cpu()
            cosines.append(cosine_similarity(original[part], mu, dim=-1))
    return float(torch.cat(cosines).mean())
