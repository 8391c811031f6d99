"""Recording: transfer function, wedge, noise and contrast against their formulas."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from latentlaw.data.simulation.microscope import Acquisition, Optics, Volume, ctf, record

SHAPE = (32, 40, 48)


def density() -> Volume:
    volume = np.zeros(SHAPE, np.float32)
    volume[10:20, 15:25, 20:30] = 1
    return volume


def recorded(snr: float = math.inf, seed: int = 0, **options: object) -> Volume:
    settings: dict[str, object] = {"tilt_range_deg": 60.0, **options}
    acquisition = Acquisition(SHAPE, 10.0, snr, **settings)
    return record(density(), acquisition, torch.Generator().manual_seed(seed))


def zeros_of_ctf(optics: Optics, up_to: float) -> list[float]:
    """Frequencies in 1/angstrom where the phase is a multiple of pi, by the textbook's formula."""
    volts = optics.voltage_kv * 1e3
    wavelength = 12.2643 / math.sqrt(volts + 0.978466e-6 * volts**2)
    k = np.linspace(0, up_to, 2_000_001)
    phase = (
        math.pi * wavelength * optics.defocus_a * k**2
        - math.pi / 2 * optics.spherical_aberration_mm * 1e7 * wavelength**3 * k**4
        + math.asin(optics.amplitude_contrast)
    )
    return list(k[1:][np.diff(np.floor(phase / math.pi)) != 0])


@pytest.mark.parametrize(
    "optics",
    [Optics(20000.0), Optics(45000.0, 200.0, 2.0, 0.07), Optics(30000.0, 300.0, 0.01, 0.0)],
)
def test_ctf_crosses_zero_where_the_formula_says(optics: Optics) -> None:
    size, edge = 3.0, 8192
    line = ctf(optics, (1, 1, edge), size)[0, 0].numpy()
    k = np.fft.rfftfreq(edge, size)
    crossings = np.flatnonzero(np.diff(np.sign(line[1:])) != 0) + 1
    expected = zeros_of_ctf(optics, k[-1])
    assert len(expected) > 5
    np.testing.assert_allclose(k[crossings], expected, atol=1.01 * k[1])
    assert line[0] == pytest.approx(optics.amplitude_contrast, abs=1e-6)


def test_ctf_is_radial_and_flipping_takes_its_sign() -> None:
    optics = Optics(50000.0)
    transfer = ctf(optics, (16, 16, 16), 10.0)
    torch.testing.assert_close(transfer[:9, 0, 0], transfer[0, 0, :9])
    torch.testing.assert_close(transfer[0, :9, 0], transfer[0, 0, :9])
    # 3, 0, 4 and 5, 0, 0 are as far from the origin.
    torch.testing.assert_close(transfer[3, 0, 4], transfer[5, 0, 0])
    assert float(transfer.min()) < -0.5
    flipped = ctf(Optics(50000.0, phase_flipped=True), (16, 16, 16), 10.0)
    torch.testing.assert_close(flipped, transfer.abs())


def test_a_perfect_microscope_changes_nothing() -> None:
    np.testing.assert_allclose(recorded(tilt_range_deg=90.0), density(), atol=1e-4)


def test_ctf_is_applied_to_the_signal() -> None:
    optics = Optics(40000.0)
    spectrum = np.fft.rfftn(recorded(tilt_range_deg=90.0, optics=optics))
    expected = np.fft.rfftn(density()) * ctf(optics, SHAPE, 10.0).numpy()
    np.testing.assert_allclose(spectrum, expected, atol=1e-3 * abs(expected).max())


@pytest.mark.parametrize("step", [None, 3.0])
def test_nothing_is_measured_outside_the_tilt_range(step: float | None) -> None:
    spectrum = np.abs(np.fft.rfftn(recorded(snr=0.5, tilt_range_deg=40.0, tilt_step_deg=step)))
    kz = np.abs(np.fft.fftfreq(SHAPE[0]))[:, None]
    kx = np.fft.rfftfreq(SHAPE[2])[None]
    # A slice is a Fourier voxel thick, which only a step makes felt.
    thickness = 0 if step is None else 0.5 / SHAPE[0] / math.cos(math.radians(40))
    outside = kz > kx * math.tan(math.radians(40)) + thickness + 1e-6
    power = spectrum.max(axis=1)
    assert power[outside].max() < 1e-3 * power.max()
    assert power[~outside & (kz < kx * math.tan(math.radians(30)))].mean() > 0.1 * power.mean()


@given(st.floats(0.01, 10), st.integers(0, 2**31))
def test_noise_is_at_the_asked_ratio(snr: float, seed: int) -> None:
    clean = recorded()
    noise = recorded(snr, seed) - clean
    assert clean.var() / noise.var() == pytest.approx(snr, rel=0.02)


def test_dark_is_bright_upside_down() -> None:
    optics = Optics(40000.0)
    bright, dark = recorded(optics=optics), recorded(optics=optics, contrast="dark")
    np.testing.assert_allclose(dark, -bright, atol=1e-4)
    assert bright[15, 20, 25] > 0


def test_a_seed_gives_the_same_noise_and_another_does_not() -> None:
    np.testing.assert_array_equal(recorded(0.1), recorded(0.1))
    assert (recorded(0.1) != recorded(0.1, seed=1)).any()
