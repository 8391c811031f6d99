"""Reconstruction terms R(x, x')."""

from typing import Literal

from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss

ReconstructionKind = Literal["mse", "bce"]


def reconstruction_loss(output: Tensor, target: Tensor, kind: ReconstructionKind) -> Tensor:
    """Mean over particles and voxels of the squared error or Bernoulli cross-entropy.

    Parameters
    ----------
    output
        The decoder's output `(n, c, [z,] y, x)`; for `bce` these are logits.
    target
        The image; for `bce` in [0, 1].
    kind
        `mse`, the squared error, or `bce`, the cross-entropy.
    """
    if kind == "bce":
        return binary_cross_entropy_with_logits(output, target)
    return mse_loss(output, target)
