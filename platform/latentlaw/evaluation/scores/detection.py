"""How well a model shows what it sees, by which particles are found."""

import torch
from torch import Tensor

from latentlaw.models.vae import AutoEncoder


@torch.inference_mode()
def reconstruction_correlation(model: AutoEncoder, images: Tensor) -> Tensor:
    """Correlate images `(n, c, [z,] y, x)`, as they were measured, with what the model shows.

    An autoencoder of centred particles can show centred particles only: so this is a matched
    filter whose template is the particle that the window looks most like. Means are taken off:
    the result `(n,)` is Pearson's coefficient, and 0 for an image or output that is constant.
    """
    normalised = model.config.normalisation(images)
    seen, made = (each.flatten(1) for each in (normalised, _shown(model, normalised)))
    return torch.cosine_similarity(
        seen - seen.mean(1, keepdim=True), made - made.mean(1, keepdim=True), dim=1
    )


@torch.inference_mode()
def best_shift(model: AutoEncoder, wide: Tensor) -> Tensor:
    """Return how far to move each window so that it shows best what the model shows of it.

    Parameters
    ----------
    model
        Of boxes `(1, z, y, x)`.
    wide
        Images `(n, 1, z, y, x)` as they were measured, each about a window of the model's box: an
        even number of voxels more along each axis, half of which is the farthest move.

    Returns
    -------
    Tensor
        Voxels zyx `(n, 3)`.
    """
    sizes = zip(wide.shape[2:], model.config.image_shape[1:], strict=True)
    reach = [(size - box) // 2 for size, box in sizes]
    inner = tuple(slice(r, size - r) for r, size in zip(reach, wide.shape[2:], strict=True))
    template = _shown(model, model.config.normalisation(wide[:, :, *inner]))
    template = template - template.mean(dim=(1, 2, 3, 4), keepdim=True)
    level = wide - wide.mean(dim=(1, 2, 3, 4), keepdim=True)
    products = torch.nn.functional.conv3d(level.movedim(0, 1), template, groups=len(wide))[0]
    best = torch.unravel_index(products.flatten(1).argmax(dim=1), products.shape[1:])
    return torch.stack(best, dim=1) - torch.tensor(reach, device=wide.device)


def _shown(model: AutoEncoder, normalised: Tensor) -> Tensor:
    """Return what the model shows of normalised images, as a tilt series would record it.

    Where the pose is explicit it is the encoder's guess: a search takes a hundred times as long.
    """
    encoding = model.encode(normalised)
    return model.record(model.decode(encoding.mu, encoding.pose))
