"""STAR to stack to STAR: the source's blocks, columns and tokens are all there at the end."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from latentlaw.data.extraction.extract import extract_particles
from latentlaw.data.particles.stack import ParticleStack, open_stack
from latentlaw.data.particles.star_rows import keep_star, kept_star, write_selected
from latentlaw.data.particles.writer import new_stack
from latentlaw.data.star.euler import compose, euler_to_quaternion
from latentlaw.data.star.reading import CENTRED, QUATERNION, particles_of, read_star
from latentlaw.data.star.text import StarText, encode_star, read_star_text
from latentlaw.data.star.writing import write_star
from latentlaw.errors import DataError
from scipy.spatial.transform import Rotation

from tests.data.tomogram_samples import make_tomogram

FILES = [
    "chlamy_STA_atpase",
    "chlamy_STA_putative_prohibitin",
    "relion31",
    "relion3_hsp60",
    "relion5_centered",
    "relion5_single_particle",
]
VOXEL_A, PIXEL_A = 80.0, 1.96


def make_stack(star: StarText, path: Path, work: Path) -> ParticleStack:
    """Cut boxes of three-dimensional particles out of coarse tomograms; invent flat images."""
    pixel = None if star.optics else PIXEL_A
    table = particles_of(star, pixel_size_a=pixel)
    if table["z"].isna().any():
        order = np.random.default_rng(0).permutation(len(table))[: len(table) - 1]
        with new_stack(work / "s.particles.zarr", item_shape=(1, 4, 4)) as writer:
            writer.append(np.zeros((len(order), 1, 4, 4)), table.iloc[order])
            keep_star(writer.folder, star, order)
        return open_stack(work / "s.particles.zarr")
    coarse = np.random.default_rng(0).normal(size=(40, 104, 104))
    for name in table["tomogram"].unique():
        make_tomogram(work, coarse, str(name), VOXEL_A, chunk=64)
    report = extract_particles(
        work, path, work / "s.particles.zarr", box=4, edge="skip", pixel_size_a=pixel
    )
    return open_stack(report.path)


@pytest.mark.parametrize("name", FILES)
def test_every_token_of_a_real_file_comes_back(
    shared_data: Path, tmp_path: Path, name: str
) -> None:
    path = shared_data / "star" / f"{name}.star"
    source = read_star_text(path)
    stack = make_stack(source, path, tmp_path)
    kept = kept_star(stack)
    assert kept is not None
    assert 0.8 * len(source.particles.rows) <= len(stack) <= len(source.particles.rows)
    # Nothing updated: the rows of the stack's particles, and all else, are what they were.
    write_star(tmp_path / "a.star", stack.table, source=kept)
    back = read_star_text(tmp_path / "a.star")
    assert back.particles.rows == kept.particles.rows
    assert set(back.particles.rows) <= set(source.particles.rows)
    assert _around(back) == _around(source)
    read = particles_of(back, pixel_size_a=None if back.optics else PIXEL_A)
    assert read["tomogram"].tolist() == stack.table["tomogram"].tolist()
    if not read[CENTRED].any():
        axes = ["y", "x"] if read["z"].isna().any() else ["z", "y", "x"]
        np.testing.assert_allclose(read[axes], stack.table[axes])
    # With a column of ours: the tokens of the source's columns still are what they were.
    extra = stack.table.assign(class_score=np.linspace(0, 1, len(stack)))
    write_star(tmp_path / "b.star", extra, source=kept)
    more = read_star_text(tmp_path / "b.star").particles
    assert more.columns == (*source.particles.columns, "latentlawClassScore")
    pd.testing.assert_frame_equal(
        more.table(source.particles.columns), back.particles.table(source.particles.columns)
    )


def test_selected_particles_are_lines_of_the_source_with_what_is_known_of_them(
    shared_data: Path, tmp_path: Path
) -> None:
    path = shared_data / "star" / "relion31.star"
    source = read_star_text(path)
    stack = make_stack(source, path, tmp_path)
    rows = np.array([2, 0])
    write_selected(tmp_path / "s.star", stack, rows, novelty=np.array([0.25, 0.5]))
    kept, found = kept_star(stack), read_star_text(tmp_path / "s.star").particles
    assert kept is not None
    pd.testing.assert_frame_equal(
        found.table(source.particles.columns),
        kept.particles.select(rows).table(source.particles.columns),
    )
    assert found.table(["latentlawNovelty"])["latentlawNovelty"].astype(float).tolist() == [
        0.25,
        0.5,
    ]


def _around(star: StarText) -> list[str]:
    """All lines but those of the particles."""
    rows = {id(block): () if block is star.particles else block.rows for block in star.blocks}
    return [line for b in star.blocks for line in (*b.head, *rows[id(b)], *b.tail)]


def truth(tmp_path: Path, columns: str, *rows: str) -> StarText:
    names = ["rlnTomoName", *(f"rlnCoordinate{a}" for a in "XYZ"), "rlnPixelSize"]
    loop = "\n".join(f"_{name}" for name in [*names, *columns.split()])
    lines = "\n".join(f"t {i} 2 3 2.0 {row}" for i, row in enumerate(rows))
    (tmp_path / "s.star").write_text(f"data_particles\n\nloop_\n{loop}\n{lines}\n")
    return read_star_text(tmp_path / "s.star")


def test_updated_pose_is_written_in_the_subtomograms_frame(tmp_path: Path) -> None:
    box = "rlnTomoSubtomogramRot rlnTomoSubtomogramTilt rlnTomoSubtomogramPsi"
    angles = "rlnAngleRot rlnAngleTilt rlnAnglePsi"
    source = truth(tmp_path, f"{box} {angles} rlnNote", "40 50 60 1 2 3 007", "0 0 0 4 5 6 x")
    table = particles_of(source)
    new = Rotation.random(2, rng=np.random.default_rng(0)).as_quat(scalar_first=True)
    table[QUATERNION] = new
    write_star(tmp_path / "a.star", table, source=source, updated=["pose"])
    back = read_star_text(tmp_path / "a.star").particles
    frame = euler_to_quaternion(back.table(box.split()).astype(float).to_numpy())
    turned = euler_to_quaternion(back.table(angles.split()).astype(float).to_numpy())
    whole = compose(frame, turned)
    np.testing.assert_allclose(np.abs((whole * new).sum(axis=1)), 1, atol=1e-9)
    kept = [*box.split(), "rlnNote", "rlnCoordinateX"]
    pd.testing.assert_frame_equal(back.table(kept), source.particles.table(kept))


def test_updated_label_is_written_and_read(tmp_path: Path) -> None:
    source = truth(tmp_path, "rlnClassNumber", "3", "3", "3")
    table = particles_of(source).assign(label=["rod", None, "1e10"])
    write_star(tmp_path / "a.star", table, source=source, updated=["label"])
    labels = read_star(tmp_path / "a.star")["label"]
    assert labels[[0, 2]].tolist() == ["rod", "1e10"]
    assert labels.isna().tolist() == [False, True, False]
    numbers = read_star(tmp_path / "a.star", label="rlnClassNumber")["label"].tolist()
    assert numbers == ["2", "0", "1"]


@pytest.mark.parametrize("centred", [False, True])
def test_both_forms_of_position_are_written_where_sizes_are_known(
    tmp_path: Path, centred: bool
) -> None:
    size = (100.0, 200.0, 301.0)
    names = ["rlnTomoName", *(f"rlnCenteredCoordinate{a}Angst" for a in "XYZ"), "rlnPixelSize"]
    source = truth(tmp_path, "")
    if centred:
        loop = "\n".join(f"_{name}" for name in names)
        text = f"data_particles\n\nloop_\n{loop}\nt -150.5 4 6 2.0\nt 0 0 0 2.0\n"
        (tmp_path / "s.star").write_text(text)
        source = read_star_text(tmp_path / "s.star")
    else:
        source = truth(tmp_path, "", "", "")
    table = particles_of(source).assign(**{CENTRED: False})
    write_star(tmp_path / "a.star", table, source=source, sizes_a={"t": size})
    back = read_star_text(tmp_path / "a.star").particles
    pixels = back.table([f"rlnCoordinate{a}" for a in "XYZ"]).astype(float).to_numpy()
    middle = back.table(names[1:4]).astype(float).to_numpy()
    np.testing.assert_allclose(pixels * 2.0, middle + np.array(size[::-1]) / 2)
    with pytest.raises(DataError, match="found no size of tomograms t"):
        write_star(tmp_path / "a.star", table, source=source, sizes_a={})


def test_rows_and_source_must_match(tmp_path: Path) -> None:
    source = truth(tmp_path, "", "", "", "")
    with pytest.raises(DataError, match="found 2 particles, expected the 3 of"):
        write_star(tmp_path / "a.star", particles_of(source).head(2), source=source)


def test_a_kept_file_that_fits_no_more_is_refused(tmp_path: Path) -> None:
    source = truth(tmp_path, "", "", "", "")
    with new_stack(tmp_path / "s.particles.zarr", item_shape=(1, 4, 4)) as writer:
        writer.append(np.zeros((3, 1, 4, 4)), particles_of(source))
    stack = open_stack(tmp_path / "s.particles.zarr")
    assert kept_star(stack) is None
    (Path(stack.path) / "particles.star").write_bytes(
        encode_star(source.with_particles(source.particles.select(np.array([0, 1]))))
    )
    with pytest.raises(DataError, match="found 2 particles, expected the 3 of the stack"):
        kept_star(stack)
