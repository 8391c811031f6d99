"""An explicit pose: numbers that a network gives, rotations, and back.

A pose is a unit quaternion `(n, 4)` in 3-D, or cosine and sine of an angle `(n, 2)` in 2-D.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from latentlaw.geometry.rotations import (
    frame_to_matrix,
    matrix_to_quaternion,
    quaternion_to_matrix,
)

_CONTINUOUS = {4: 6, 2: 2}  # numbers that a network can learn continuously, by numbers of a pose


class PoseHead(nn.Module):
    """Linear layer to a pose: in 3-D by way of the continuous six numbers of Zhou et al. 2019."""

    def __init__(self, features: int, pose_dims: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, _CONTINUOUS[pose_dims])

    def forward(self, features: Tensor) -> Tensor:
        """Return poses of length 1 of features `(n, f)`."""
        numbers: Tensor = self.linear(features)
        if numbers.shape[-1] == 2:
            return _on_circle(numbers)
        return matrix_to_quaternion(frame_to_matrix(numbers))


def pose_matrix(pose: Tensor) -> Tensor:
    """Convert poses `(..., 4)` or `(..., 2)` to rotations `(..., 3, 3)` or `(..., 2, 2)`."""
    if pose.shape[-1] == 4:
        return quaternion_to_matrix(pose)
    cos, sin = _on_circle(pose).unbind(-1)
    return torch.stack((torch.stack((cos, -sin), -1), torch.stack((sin, cos), -1)), dim=-2)


def matrix_pose(matrix: Tensor) -> Tensor:
    """Convert rotations `(..., 3, 3)` or `(..., 2, 2)` to poses, the inverse of `pose_matrix`."""
    return matrix_to_quaternion(matrix) if matrix.shape[-1] == 3 else matrix[..., :, 0]


def _on_circle(numbers: Tensor) -> Tensor:
    """Scale cosines and sines `(..., 2)` to length 1; two zeros become the angle zero."""
    nothing = (numbers == 0).all(dim=-1, keepdim=True)
    return normalize(torch.where(nothing, numbers.new_tensor([1.0, 0.0]), numbers), dim=-1)
