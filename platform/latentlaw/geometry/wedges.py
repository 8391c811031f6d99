"""Missing wedges that differ from volume to volume, as those of turned particles do."""

from dataclasses import dataclass

import torch
from torch import Tensor

from latentlaw.geometry.volumes import apply_fourier_mask, wedge_masks


@dataclass(frozen=True)
class Wedges:
    """Tilt series that `n` volumes were recorded by; a frequency is there if all reach it.

    Attributes
    ----------
    tilt_ranges_deg
        Half-angles of `w` tilt series each, `(n, w)`.
    frames
        The microscope's axes x (across the tilt axis), y (tilt axis), z (beam) as the columns of
        `(n, w, 3, 3)`, vectors `(x, y, z)` of the volume.
    """

    tilt_ranges_deg: Tensor
    frames: Tensor

    @classmethod
    def unturned(cls, n: int, tilt_range_deg: float) -> "Wedges":
        """Return the wedge of `n` volumes as recorded: tilt axis y, beam along z."""
        return cls(torch.full((n, 1), float(tilt_range_deg)), torch.eye(3).expand(n, 1, 3, 3))

    def __getitem__(self, part: slice) -> "Wedges":
        """Wedges of a stretch of the volumes."""
        return Wedges(self.tilt_ranges_deg[part], self.frames[part])

    def to(self, device: torch.device) -> "Wedges":
        """Return the same wedges on `device`."""
        return Wedges(self.tilt_ranges_deg.to(device), self.frames.to(device))

    def turned(self, matrices: Tensor) -> "Wedges":
        """Return the wedges of volumes turned by `matrices` `(n, 3, 3)`: they turn along."""
        return Wedges(self.tilt_ranges_deg, matrices[:, None].to(self.frames) @ self.frames)

    def joined(self, others: "Wedges") -> "Wedges":
        """Return the wedges of volumes that lack both these and the `others`."""
        return Wedges(
            torch.cat((self.tilt_ranges_deg, others.tilt_ranges_deg), dim=1),
            torch.cat((self.frames, others.frames), dim=1),
        )

    def masks(self, shape: tuple[int, int, int]) -> Tensor:
        """Boolean Fourier masks `(n, z, y, x//2 + 1)`, laid out as `torch.fft.rfftn` does."""
        n, w = self.tilt_ranges_deg.shape
        flat = wedge_masks(shape, self.tilt_ranges_deg.flatten(), self.frames.flatten(0, 1))
        return flat.view(n, w, *flat.shape[1:]).all(dim=1)

    def measured(self, matrices: Tensor, directions: Tensor, *, edge: float) -> Tensor:
        """Share of a reference's frequencies that is there once it is turned, `(n, m, d)`.

        Parameters
        ----------
        matrices
            Rotations `(n, m, 3, 3)` that turn the reference into the particle.
        directions
            Of frequencies of the reference, unit vectors `(d, 3)`, x first.
        edge
            Sine of the angle over which a wedge's sides go from 0 to 1, so that a sum over a few
            directions hardly changes with where they fall.
        """
        axes = torch.einsum("nwij,nmik->nwmjk", self.frames[..., ::2], matrices)
        across, beam = (axes @ directions.T).abs_().unbind(dim=-2)
        radians = torch.deg2rad(self.tilt_ranges_deg)[..., None, None]
        inside = across * (radians.sin() / edge) - beam * (radians.cos() / edge)
        return inside.add_(0.5).clamp_(0, 1).prod(dim=1)


def apply_wedges(volumes: Tensor, wedges: Wedges) -> Tensor:
    """Take from volumes `(n, c, z, y, x)` the frequencies that their tilt series do not reach."""
    z, y, x = volumes.shape[2:]
    return apply_fourier_mask(volumes, wedges.to(volumes.device).masks((z, y, x))[:, None])
