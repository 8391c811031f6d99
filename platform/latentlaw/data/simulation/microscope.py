"""How a tomogram is recorded: transfer function, missing wedge, noise, contrast."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentlaw.data.tomograms.contrast import Contrast
from latentlaw.geometry.volumes import apply_fourier_mask, frequencies_squared, wedge_mask

Volume = NDArray[np.float32]


@dataclass(frozen=True)
class Optics:
    """What blurs the image of a weak phase object.

    Attributes
    ----------
    defocus_a
        Underfocus in angstrom, positive, the same for all tilts.
    voltage_kv
        Acceleration voltage.
    spherical_aberration_mm
        Cs of the objective lens.
    amplitude_contrast
        Fraction of the contrast that is of amplitude.
    phase_flipped
        Whether the sign of the oscillations was corrected, as most reconstructions do.
    """

    defocus_a: float
    voltage_kv: float = 300.0
    spherical_aberration_mm: float = 2.7
    amplitude_contrast: float = 0.1
    phase_flipped: bool = False


@dataclass(frozen=True)
class Acquisition:
    """How a tomogram is recorded.

    Attributes
    ----------
    shape
        Voxels `(z, y, x)`.
    voxel_size_a
        Edge of a voxel in angstrom.
    snr
        Variance of the whole tomogram without noise, as transferred by optics and wedge, over
        the variance of the noise, which is white inside the measured wedge and zero outside it.
        Where particles are dense, the ratio is higher; between them there is noise alone.
        Infinity adds no noise.
    tilt_range_deg
        Tilts run from minus to plus this angle about y; 90 leaves no missing wedge.
    tilt_step_deg
        Between tilts; None measures all angles within the range.
    optics
        None transfers all frequencies alike.
    contrast
        Protein `bright` as in density maps, or `dark` as in raw tomograms.
    """

    shape: tuple[int, int, int]
    voxel_size_a: float
    snr: float
    tilt_range_deg: float
    tilt_step_deg: float | None = None
    optics: Optics | None = None
    contrast: Contrast = "bright"


def record(density: Volume, acquisition: Acquisition, generator: torch.Generator) -> Volume:
    """Record a density `(z, y, x)`, protein bright, as a tomogram of the same shape."""
    a = acquisition
    wedge = wedge_mask(a.shape, a.tilt_range_deg, a.tilt_step_deg)
    transfer = wedge if a.optics is None else wedge * ctf(a.optics, a.shape, a.voxel_size_a)
    tomogram = apply_fourier_mask(torch.from_numpy(density), transfer)
    if a.contrast == "dark":
        tomogram.neg_()
    noise = apply_fourier_mask(torch.randn(a.shape, generator=generator), wedge)
    scale = tomogram.std() / noise.std() / a.snr**0.5
    return np.asarray(tomogram.add_(noise.mul_(scale)).numpy(), dtype=np.float32)


def ctf(optics: Optics, shape: tuple[int, int, int], voxel_size_a: float) -> Tensor:
    """Contrast transfer function of a volume: every central slice has the same, so it is radial.

    The slices of a single-axis tilt series at one defocus fill the volume's spectrum, each
    multiplied by `sin(pi lambda dz k^2 - pi/2 Cs lambda^3 k^4 + asin w)`, torch-ctf's sign:
    positive at low frequencies, so that protein stays bright.

    Returns
    -------
    Tensor
        `(z, y, x//2 + 1)`, laid out as `torch.fft.rfftn` does.
    """
    from torch_ctf import calculate_total_phase_shift

    phase: Tensor = calculate_total_phase_shift(
        defocus_um=torch.tensor(optics.defocus_a * 1e-4),
        voltage_kv=torch.tensor(optics.voltage_kv),
        spherical_aberration_mm=torch.tensor(optics.spherical_aberration_mm),
        phase_shift_degrees=torch.tensor(0.0),
        amplitude_contrast_fraction=torch.tensor(optics.amplitude_contrast),
        fftfreq_grid_angstrom_squared=frequencies_squared(shape) / voxel_size_a**2,
    )
    transfer = phase.sin_().neg_()
    return transfer.abs_() if optics.phase_flipped else transfer
