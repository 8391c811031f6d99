"""A tomogram of the size of SHREC's challenge, as a user types it, in bounded memory."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from latentlaw.data.formats.mrc import open_mrc
from latentlaw.data.star.reading import read_star

ROOT = Path(__file__).parents[2]
CLASSES = "1bxn,1qvr,1s3x,1u6g,2cg9,3cf3,3d2f,3gl1,3h84,3qm1,4cr2,4v94,5mrc"


@pytest.mark.slow
def test_thirteen_classes_in_200_x_512_x_512_voxels(shared_data: Path, tmp_path: Path) -> None:
    given = {
        "templates": shared_data / "templates_10A",
        "classes": CLASSES,
        "out": tmp_path / "out",
        "shape": "200,512,512",
        "particles": 1200,
        "tomograms": 1,
        "contrast": "dark",
        "defocus": 40000,
        "tilt_step": 3,
    }
    pairs = [part for key, value in given.items() for part in (f"--{key}", str(value))]
    given_by_shell = {
        "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db",
        "PYTHONPATH": f"{ROOT / 'platform'}{os.pathsep}{ROOT}",
    }
    subprocess.run(
        [sys.executable, "-m", "pipelines.simulate", *pairs],
        cwd=tmp_path,
        env={**os.environ, **given_by_shell},
        check=True,
        timeout=280,
    )
    truth = read_star(tmp_path / "out" / "particles.star")
    counts = truth["label"].value_counts()
    assert ",".join(sorted(counts.index)) == CLASSES
    assert counts.sum() == 1200
    assert counts.min() >= 92
    assert open_mrc(tmp_path / "out" / "tomograms" / "tomo_000.mrc").data.shape == (200, 512, 512)
    # The largest of all children so far, which no other of this suite comes near.
    peak_gb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
    assert peak_gb < 4
