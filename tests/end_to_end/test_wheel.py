"""A wheel of the package serves a model from outside the checkout."""

import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.bundles import ScoringServer, packed, tiny_bundle

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_wheel_serves_from_outside_the_checkout(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir"]
    subprocess.run([*build, str(tmp_path), str(ROOT)], check=True, cwd=tmp_path)
    wheel = next(tmp_path.glob("latentlaw-*.whl"))
    names = zipfile.ZipFile(wheel).namelist()
    modules = {p.relative_to(ROOT / "platform").as_posix() for p in ROOT.glob("platform/**/*.py")}
    assert modules <= set(names)
    assert not [name for name in names if name.startswith(("tests", "pipelines", "platform/"))]

    venv.create(tmp_path / "environment", with_pip=False)
    site = next((tmp_path / "environment" / "lib").glob("python*/site-packages"))
    (site / "libraries.pth").write_text(sysconfig.get_paths()["purelib"])
    zipfile.ZipFile(wheel).extractall(site)
    python = tmp_path / "environment" / "bin" / "python"

    bundle = tiny_bundle()
    bundle.save(tmp_path / "bundle")
    command = [str(python), "-m", "latentlaw.serving", str(tmp_path / "bundle")]
    server = ScoringServer(tmp_path / "bundle", command=command, path="")
    server.start()
    try:
        images = np.random.default_rng(0).random((1, 1, 8, 8, 8), dtype=np.float32)
        status, content = server.post({"inputs": packed(images)})
        assert status == 200
        assert content["predictions"][0]["class"] == bundle.predict(images)[0]["class"]
    finally:
        server.kill()
