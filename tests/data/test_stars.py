"""STAR, CSV and copick positions: angstrom, and a quaternion from reference to particle."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from latentlaw.data.extraction.coordinates import read_coordinates
from latentlaw.data.star.euler import euler_to_quaternion, quaternion_to_euler
from latentlaw.data.star.reading import read_star
from latentlaw.data.star.text import read_star_text
from latentlaw.data.star.writing import write_star
from latentlaw.errors import DataError
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

QUATERNION = ["qw", "qx", "qy", "qz"]


def star(tmp_path: Path, columns: str, *rows: str, optics: str = "") -> Path:
    names = columns.split()
    loop = "\n".join(f"_{name} #{i + 1}" for i, name in enumerate(names))
    text = f"{optics}\ndata_particles\n\nloop_\n{loop}\n" + "\n".join(rows) + "\n"
    path = tmp_path / "a.star"
    path.write_text(text)
    return path


OPTICS = "data_optics\n\nloop_\n_rlnOpticsGroup #1\n_rlnTomoTiltSeriesPixelSize #2\n1 2.0\n2 4.0\n"
XYZ = "rlnTomoName rlnCoordinateX rlnCoordinateY rlnCoordinateZ"


def truth(n: int = 20) -> pd.DataFrame:
    generator = np.random.default_rng(0)
    quaternion = Rotation.random(n, rng=generator).as_quat(scalar_first=True)
    return pd.DataFrame(
        {
            "particle_id": [f"t-{i}" for i in range(n)],
            "label": [("1e10", "4cr2", "007")[i % 3] for i in range(n)],
            "tomogram": "tomo 1",
            **dict(zip("zyx", generator.uniform(0, 1900, (3, n)), strict=True)),
            **dict(zip(QUATERNION, quaternion.T, strict=True)),
        }
    )


def test_class_numbers_are_those_of_the_classes_named(tmp_path: Path) -> None:
    table = truth(3).assign(label=["b", None, "c"])
    write_star(tmp_path / "a.star", table, class_names=("a", "b", "c"))
    numbers = read_star_text(tmp_path / "a.star").particles.table(["rlnClassNumber"])
    assert numbers["rlnClassNumber"].tolist() == ["2", "0", "3"]


def test_truth_round_trips(tmp_path: Path) -> None:
    table = truth()
    write_star(tmp_path / "a.star", table, 10.0)
    back = read_star(tmp_path / "a.star")
    for name in "zyx":
        np.testing.assert_allclose(back[name], table[name], atol=1e-4)
    overlap = (back[QUATERNION].to_numpy() * table[QUATERNION].to_numpy()).sum(axis=1)
    np.testing.assert_allclose(np.abs(overlap), 1, atol=1e-9)
    for name in ("label", "particle_id", "tomogram"):
        assert back[name].tolist() == table[name].tolist()


def test_unknown_labels_stay_unknown_and_extra_columns_are_kept(tmp_path: Path) -> None:
    table = truth(3).assign(label=["a", None, "b"], probability=[0.5, 0.25, 1.0])
    write_star(tmp_path / "a.star", table, 10.0)
    assert read_star(tmp_path / "a.star")["label"].isna().tolist() == [False, True, False]
    assert read_star(tmp_path / "a.star", label="rlnClassNumber")["label"].tolist() == [
        "1",
        "0",
        "2",
    ]
    assert "_latentlawProbability" in (tmp_path / "a.star").read_text()


def test_pixel_size_of_each_optics_group_and_origin(tmp_path: Path) -> None:
    columns = f"{XYZ} rlnOpticsGroup rlnOriginXAngst rlnOriginYAngst rlnOriginZAngst"
    path = star(tmp_path, columns, "t 10 20 30 1 1 0 -1", "t 10 20 30 2 0 0 0", optics=OPTICS)
    table = read_star(path)
    np.testing.assert_allclose(table[["x", "y", "z"]], [[19, 40, 61], [40, 80, 120]])


def test_pixel_size_from_magnification_and_origin_in_pixels(tmp_path: Path) -> None:
    columns = f"{XYZ} rlnDetectorPixelSize rlnMagnification rlnOriginX rlnOriginY rlnOriginZ"
    table = read_star(star(tmp_path, columns, "t 10 20 30 5 10000 1 0 0"))
    np.testing.assert_allclose(table[["x", "y", "z"]], [[45, 100, 150]])


@given(st.tuples(st.floats(-179, 179), st.floats(1, 179), st.floats(-179, 179)))
@settings(deadline=None, max_examples=40)
def test_angles_round_trip(angles: tuple[float, float, float]) -> None:
    back = quaternion_to_euler(euler_to_quaternion(np.array([angles])))
    np.testing.assert_allclose(back[0], angles, atol=1e-6)


def test_rot_alone_turns_the_reference_backwards_about_z() -> None:
    turned = Rotation.from_quat(euler_to_quaternion(np.array([[90.0, 0, 0]])), scalar_first=True)
    np.testing.assert_allclose(turned.apply([1, 0, 0]), [[0, -1, 0]], atol=1e-12)


def relion_matrix(rot: float, tilt: float, psi: float) -> NDArray[np.float64]:
    """The matrix A of RELION's Euler_angles_relion.h, written out."""
    (sa, sb, sg), (ca, cb, cg) = (f(np.radians([rot, tilt, psi])) for f in (np.sin, np.cos))
    return np.array(
        [
            [cg * cb * ca - sg * sa, cg * cb * sa + sg * ca, -cg * sb],
            [-sg * cb * ca - cg * sa, -sg * cb * sa + cg * ca, sg * sb],
            [sb * ca, sb * sa, cb],
        ]
    )


def test_subtomogram_turns_angles_and_shift(tmp_path: Path) -> None:
    angles = "rlnAngleRot rlnAngleTilt rlnAnglePsi"
    box = "rlnTomoSubtomogramRot rlnTomoSubtomogramTilt rlnTomoSubtomogramPsi"
    shift = "rlnOriginXAngst rlnOriginYAngst rlnOriginZAngst"
    row = "t 10 20 30 11 22 33 40 50 60 1 2 3"
    path = star(tmp_path, f"{XYZ} {angles} {box} {shift}", row)
    particle = read_star(path, pixel_size_a=2.0).iloc[0]
    frame = relion_matrix(40, 50, 60)
    turned = Rotation.from_quat(particle[QUATERNION].to_numpy(dtype=float), scalar_first=True)
    np.testing.assert_allclose(turned.as_matrix(), frame @ relion_matrix(11, 22, 33), atol=1e-12)
    place = particle[list("xyz")].to_numpy(dtype=float)
    np.testing.assert_allclose(place, [20, 40, 60] - frame @ [1, 2, 3])
    alone = read_star(star(tmp_path, f"{XYZ} {box}", "t 1 2 3 40 50 60"), pixel_size_a=2.0)
    turned = Rotation.from_quat(alone[QUATERNION].to_numpy(dtype=float), scalar_first=True)
    np.testing.assert_allclose(turned.as_matrix()[0], frame, atol=1e-12)


@pytest.mark.parametrize(
    ("columns", "row", "message"),
    [
        ("rlnTomoName rlnCoordinateX", "t 1", "found columns rlnTomoName, rlnCoordinateX"),
        ("rlnCoordinateX rlnCoordinateY rlnCoordinateZ", "1 2 3", "expected a tomogram's name"),
        (XYZ, "t 1 2 3", "pass pixel_size"),
        (f"{XYZ} rlnPixelSize", "t 1 nan 3 1", "particle 0, rlnCoordinateY"),
        (f"{XYZ} rlnPixelSize", "t 1 abc 3 1", "found 'abc', expected a number"),
    ],
)
def test_bad_files(tmp_path: Path, columns: str, row: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_star(star(tmp_path, columns, row))


@pytest.mark.parametrize("text", ["", "hello", "data_particles\n\nloop_\n_rlnCoordinateX #1\n"])
def test_empty_files(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.star").write_text(text)
    with pytest.raises(DataError, match="no particles"):
        read_star(tmp_path / "a.star")


def test_unknown_label_names_the_nearest(tmp_path: Path) -> None:
    path = star(tmp_path, f"{XYZ} rlnPixelSize rlnClassNumber", "t 1 2 3 1 4")
    assert read_star(path)["label"].tolist() == ["4"]
    with pytest.raises(DataError, match="did you mean 'rlnClassNumber'"):
        read_star(path, label="rlnClassNumbr")


def test_csv(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("tomogram,x,y,z,label\n001,1,2,3,a\n")
    table = read_coordinates(path)
    assert table.loc[0, ["tomogram", "z", "y", "x", "label"]].tolist() == ["001", 3, 2, 1, "a"]
    path.write_text("tomogram,x,y,z\nt,1,2,\n")
    with pytest.raises(DataError, match="line 2"):
        read_coordinates(path)
    path.write_text("x,y,z\n1,2,3\n")
    with pytest.raises(DataError, match=r"found columns x, y, z, no tomogram"):
        read_coordinates(path)


def test_copick_picks(tmp_path: Path) -> None:
    turned = np.eye(4)
    turned[:3, :3] = Rotation.from_euler("z", 90, degrees=True).as_matrix()
    turned[:3, 3] = (1, 0, 0)
    point = {"location": {"x": 10, "y": 20, "z": 30}, "transformation_": turned.tolist()}
    picks = {"run_name": "TS_1", "pickable_object_name": "ribosome", "points": [point]}
    (tmp_path / "a.json").write_text(json.dumps(picks))
    row = read_coordinates(tmp_path / "a.json").iloc[0]
    assert (row["tomogram"], row["label"], row["x"], row["y"], row["z"]) == (
        "TS_1",
        "ribosome",
        11,
        20,
        30,
    )
    assert row["qz"] == pytest.approx(np.sqrt(0.5))
    (tmp_path / "a.json").write_text('{"points": [{}]}')
    with pytest.raises(DataError, match="not copick picks"):
        read_coordinates(tmp_path / "a.json")


def test_real_stars(shared_data: Path) -> None:
    counts = {}
    for path in sorted((shared_data / "star").glob("*.star")):
        without_optics = "chlamy" in path.name or "relion3_" in path.name
        if without_optics:
            with pytest.raises(DataError, match="pass pixel_size"):
                read_star(path)
        table = read_star(path, pixel_size_a=1.96 if without_optics else None)
        norms = np.linalg.norm(table[QUATERNION].to_numpy(dtype=float), axis=1)
        np.testing.assert_allclose(norms, 1)
        counts[path.stem] = (len(table), bool(table["centred"].all()), table["z"].notna().all())
    assert counts["relion3_hsp60"] == (27, False, True)
    assert counts["relion5_centered"] == (5, True, True)
    assert counts["relion5_single_particle"] == (17, False, False)
    # Coordinates are in the original 1.403 angstrom pixels, not the binned 2.806.
    first = read_star(shared_data / "star" / "relion31.star").iloc[0]
    assert first["x"] == pytest.approx(3277 * 1.403 - 0.019324)
