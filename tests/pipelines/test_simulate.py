"""The simulate entry: what is asked for is what the volume was recorded with."""

from pathlib import Path

import mlflow
import numpy as np
import pytest
import torch
from latentlaw.data.formats.mrc import open_mrc
from latentlaw.data.simulation.microscope import Acquisition, Optics
from latentlaw.data.simulation.simulate import simulate_tomogram
from latentlaw.data.simulation.templates import phantom_templates
from latentlaw.errors import ConfigError
from latentlaw.tracking.recording.runs import configure_tracking

from pipelines.cli.parameters import parse
from pipelines.simulate import Simulate, run


def test_every_parameter_reaches_the_tomogram(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.chdir(tmp_path)
    before = mlflow.get_tracking_uri()
    configure_tracking()
    given = (
        "--out out --classes rod,shell --tomograms 1 --shape 32,48,56 --voxel_size 12 "
        "--particles 3 --snr 0.5 --contrast dark --tilt_range 50 --tilt_step 2 --defocus 30000 "
        "--voltage 200 --spherical_aberration 2 --amplitude_contrast 0.07 --phase_flipped true "
        "--box 24 --seed 5"
    )
    run(parse(Simulate, given.split()))
    mlflow.set_tracking_uri(before)
    assert sorted(p.name for p in (tmp_path / "out" / "templates").iterdir()) == [
        "rod.mrc",
        "shell.mrc",
    ]
    phantoms = phantom_templates(24, 12.0)
    optics = Optics(30000, 200, 2, 0.07, phase_flipped=True)
    expected = simulate_tomogram(
        "tomo_000",
        {name: phantoms[name] for name in ("rod", "shell")},
        Acquisition((32, 48, 56), 12, 0.5, 50, 2, optics, "dark"),
        particles=3,
        generator=torch.Generator().manual_seed(5),
    )
    found = open_mrc(tmp_path / "out" / "tomograms" / "tomo_000.mrc")
    np.testing.assert_array_equal(found.data, expected.volume)
    assert found.voxel_size_a == 12


@pytest.mark.parametrize(
    "given",
    ["--defocus 3", "--defocus -30000", "--contrast black", "--tilt_step 0", "--shape 1,2,3",
     "--amplitude_contrast 1", "--snr 0", "--clases rod", "--voxel_size inf"],
)  # fmt: skip
def test_what_cannot_be_is_refused(given: str) -> None:
    with pytest.raises(ConfigError, match=given.split()[0].strip("-")):
        parse(Simulate, ["--out", "o", *given.split()])
