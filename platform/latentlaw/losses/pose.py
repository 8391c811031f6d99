"""How far a predicted orientation is from the one that a search found."""

from torch import Tensor


def pose_loss(predicted: Tensor, found: Tensor) -> Tensor:
    """Mean over particles of the squared sine of half the angle between two orientations.

    An eighth of the squared chordal distance of the rotations, so smooth where they agree, and
    blind to the sign of a quaternion.

    Parameters
    ----------
    predicted, found
        Unit quaternions `(n, 4)`, or cosines and sines `(n, 2)`.
    """
    overlap = (predicted * found.detach()).sum(dim=-1)
    if predicted.shape[-1] == 2:
        return (0.5 - 0.5 * overlap).mean()
    return (1 - overlap.square()).mean()
