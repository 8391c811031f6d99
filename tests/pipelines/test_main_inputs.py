"""What the main job is told of tomograms reaches its steps; what cannot work is refused first."""

from pathlib import Path
from typing import Any

import pytest
from latentlaw.errors import ConfigError, DataError

from pipelines import extract, ingest, simulate
from pipelines.cli.parameters import build
from pipelines.main import Main, check_inputs, particles


@pytest.fixture
def given(tmp_path: Path) -> dict[str, Any]:
    """Tomograms, coordinates with a class number and a class name, and a prior of the names."""
    (tmp_path / "tomograms").mkdir()
    rows = "".join(f"a {i}.0 8.0 8.0 {1 + i % 2} {'xy'[i % 2]}\n" for i in range(4))
    columns = ("TomoName", "CoordinateX", "CoordinateY", "CoordinateZ", "ClassNumber")
    names = "".join(f"_rln{name}\n" for name in columns) + "_species\n"
    (tmp_path / "p.star").write_text(f"data_particles\n\nloop_\n{names}{rows}")
    (tmp_path / "prior.csv").write_text("x,y\n1.0,0.2\n0.2,1.0\n")
    return {
        "source": str(tmp_path / "tomograms"),
        "coordinates": str(tmp_path / "p.star"),
        "pixel_size": 10.0,
        "affinity": str(tmp_path / "prior.csv"),
        "out": str(tmp_path / "work"),
    }


def test_classes_that_the_prior_lacks_are_named_before_anything_is_made(
    given: dict[str, Any],
) -> None:
    with pytest.raises(DataError, match="affinity: found no class '1' of the data"):
        check_inputs(build(Main, given))
    check_inputs(build(Main, given | {"label": "species"}))
    assert not Path(given["out"]).exists()


def test_label_box_and_contrast_reach_the_extraction(
    given: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(ingest, "run", lambda _: None)
    monkeypatch.setattr(extract, "run", asked.append)
    told = {"label": "species", "pixel_size": 5.0, "box": 24, "contrast": "dark"}
    particles(build(Main, given | told))
    assert {name: getattr(asked[0], name) for name in told} == told


def test_the_demo_is_simulated_as_dark_as_it_is_extracted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(ingest, "run", lambda _: None)
    for step in (simulate, extract):
        monkeypatch.setattr(step, "run", asked.append)
    particles(build(Main, {"out": str(tmp_path), "contrast": "dark", "affinity": "none"}))
    assert [each.contrast for each in asked] == ["dark", "dark"]


@pytest.mark.parametrize(
    ("name", "value"), [("label", "a"), ("pixel_size", 2.0), ("box", 24), ("contrast", "dark")]
)
def test_what_is_of_tomograms_is_refused_with_images(
    tmp_path: Path, name: str, value: object
) -> None:
    with pytest.raises(ConfigError, match=f"{name}: found {value}, expected none where source"):
        check_inputs(build(Main, {"source": str(tmp_path), name: value}))
