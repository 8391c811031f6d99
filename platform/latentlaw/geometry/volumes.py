"""Real-space and Fourier-space operations on images `(n, c, [z,] y, x)` and volumes."""

import math

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

_REACH = 8.0  # standard deviations: a Gaussian is 1e-14 of its height there


def rotate_images(images: Tensor, matrices: Tensor, *, about: Tensor | None = None) -> Tensor:
    """Rotate each image about its centre voxel n//2, by linear interpolation.

    Parameters
    ----------
    images
        `(n, c, y, x)` or `(n, c, z, y, x)`.
    matrices
        `(n, 2, 2)` or `(n, 3, 3)`, acting on `(x, y[, z])`: what was at p goes to R p. A
        reflection is as good as a rotation. What comes from outside the box is zero.
    about
        Points `(n, dims)` in order x, y[, z], in voxels from the centre voxel: to turn about, and
        to move to the centre voxel.
    """
    sizes = images.shape[2:]
    axes = [torch.arange(size, device=images.device, dtype=images.dtype) for size in sizes]
    centre = torch.tensor(
        [size // 2 for size in reversed(sizes)], device=images.device, dtype=images.dtype
    )
    extent = torch.tensor(
        [max(size - 1, 1) for size in reversed(sizes)], device=images.device, dtype=images.dtype
    )
    points = torch.stack(torch.meshgrid(*axes, indexing="ij")[::-1], dim=-1) - centre
    # Output voxel p shows input voxel R^T p; as rows, p^T R.
    flat = points.reshape(1, -1, len(sizes)) @ matrices.to(images)
    if about is not None:
        flat = flat + about[:, None]
    grid = (flat + centre) * (2 / extent) - 1
    rotated: Tensor = grid_sample(
        images,
        grid.reshape(images.shape[0], *sizes, len(sizes)),
        mode="bilinear",
        padding_mode="zeros",
        align_corners=True,
    )
    return rotated


def gaussian_blur(images: Tensor, sigma: Tensor) -> Tensor:
    """Blur images `(n, c, [z,] y, x)` along each axis by a Gaussian.

    Near a face the Gaussian is cut off and made whole again, so that constants stay.

    Parameters
    ----------
    images
        `(n, c, [z,] y, x)`, blurred along the last two or three axes.
    sigma
        Standard deviations in voxels, one or `(n,)`; positive.
    """
    for axis in range(2, images.ndim):
        voxel = torch.arange(images.shape[axis], device=images.device, dtype=images.dtype)
        apart = (voxel[:, None] - voxel) / sigma[..., None, None]
        # Cut off, or numbers below the smallest normal float make the products 20 times slower.
        kernel = torch.exp(-0.5 * apart.square()).where(apart.abs() < _REACH, 0)
        images = _along(images, axis, kernel / kernel.sum(-1, keepdim=True))
    return images


def _along(images: Tensor, axis: int, kernel: Tensor) -> Tensor:
    """Multiply one axis of images by a matrix `([n,] size, size)`."""
    if axis == images.ndim - 1:
        product = images.flatten(1, -2) @ kernel.mT
    else:
        rows = images.flatten(axis + 1).flatten(1, axis - 1)  # (n, before, size, after)
        product = kernel[..., None, :, :] @ rows
    return product.view(images.shape)


def wedge_mask(
    shape: tuple[int, int, int], tilt_range_deg: float, tilt_step_deg: float | None = None
) -> Tensor:
    """Fourier mask of a single-axis tilt series: tilt axis y, beam along z.

    A central slice tilted by t holds the frequencies with `atan2(kz, kx) = t`, so tilts up to
    +-`tilt_range_deg` measure `|kz| <= |kx| tan(tilt_range_deg)`. With a step, each slice is one
    Fourier voxel thick, as that of a specimen as deep as the volume is; beyond Crowther's
    resolution gaps are left between slices.

    Parameters
    ----------
    shape
        Volume shape `(z, y, x)`.
    tilt_range_deg
        Largest tilt in degrees, on both sides of 0.
    tilt_step_deg
        Degrees between tilts, which run from minus to plus the range; None fills the range.

    Returns
    -------
    Tensor
        Boolean `(z, y, x//2 + 1)`, laid out as `torch.fft.rfftn` does.

    Examples
    --------
    >>> float(wedge_mask((32, 32, 32), 90).float().mean())
    1.0
    >>> round(float(wedge_mask((32, 32, 32), 45).float().mean()), 1)
    0.5
    """
    kz = torch.fft.fftfreq(shape[0])[:, None]
    kx = torch.fft.rfftfreq(shape[2])[None, :]
    if tilt_step_deg is not None:
        measured = torch.zeros(shape[0], shape[2] // 2 + 1, dtype=torch.bool)
        for tilt in _tilts(tilt_range_deg, tilt_step_deg):
            measured |= (kz * math.cos(tilt) - kx * math.sin(tilt)).abs() <= 0.5 / shape[0]
    elif tilt_range_deg >= 90:
        measured = torch.ones(shape[0], shape[2] // 2 + 1, dtype=torch.bool)
    else:
        measured = kz.abs() <= kx * math.tan(math.radians(tilt_range_deg)) + 1e-9
    return measured[:, None].expand(-1, shape[1], -1)


def _tilts(tilt_range_deg: float, tilt_step_deg: float) -> list[float]:
    """Angles in radians from minus to plus the range, 0 among them."""
    steps = math.floor(tilt_range_deg / tilt_step_deg + 1e-9)
    return [math.radians(i * tilt_step_deg) for i in range(-steps, steps + 1)]


def frequencies_squared(shape: tuple[int, int, int]) -> Tensor:
    """Squared distance from the origin `(z, y, x//2 + 1)`, in cycles per voxel, of an rfftn."""
    kz, ky = torch.fft.fftfreq(shape[0]), torch.fft.fftfreq(shape[1])
    kx = torch.fft.rfftfreq(shape[2])
    squared: Tensor = kz[:, None, None] ** 2 + ky[:, None] ** 2 + kx**2
    return squared


def wedge_masks(shape: tuple[int, int, int], tilt_ranges_deg: Tensor, frames: Tensor) -> Tensor:
    """Fourier masks of single-axis tilt series in any direction.

    A central slice tilted by t holds the frequencies with `atan2(k_beam, k_across) = t`, so tilts
    up to +-r measure `|k_beam| cos r <= |k_across| sin r`.

    Parameters
    ----------
    shape
        Volume shape `(z, y, x)`.
    tilt_ranges_deg
        r, `(n,)`.
    frames
        `(n, 3, 3)`; columns are the microscope's axes across, along the tilt axis, and along the
        beam, as vectors `(x, y, z)` of the volume.

    Returns
    -------
    Tensor
        Boolean `(n, z, y, x//2 + 1)`, laid out as `torch.fft.rfftn` does.
    """
    z, y, x = shape
    axes = (torch.fft.fftfreq(z), torch.fft.fftfreq(y), torch.fft.rfftfreq(x))
    axes = tuple(axis.to(frames.device) for axis in axes)
    k = torch.stack(torch.meshgrid(*axes, indexing="ij")[::-1], dim=-1)
    along = torch.einsum("zyxi,nij->njzyx", k, frames).abs()
    radians = torch.deg2rad(tilt_ranges_deg)[:, None, None, None]
    measured = along[:, 2] * radians.cos() <= along[:, 0] * radians.sin() + 1e-6
    # A real volume has k and -k alike; at the Nyquist frequency one name stands for both.
    for plane in {0, x // 2} if x % 2 == 0 else {0}:
        half = measured[..., plane]
        half &= half.flip((1, 2)).roll((1, 1), (1, 2))
    return measured


def apply_fourier_mask(volume: Tensor, mask: Tensor) -> Tensor:
    """Multiply the spectrum of `volume` `(..., z, y, x)` by `mask` `(..., z, y, x//2 + 1)`."""
    spectrum = torch.fft.rfftn(volume, dim=(-3, -2, -1)) * mask
    filtered: Tensor = torch.fft.irfftn(spectrum, s=volume.shape[-3:], dim=(-3, -2, -1))
    return filtered
