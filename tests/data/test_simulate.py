"""Simulated tomograms hold what their truth says."""

import numpy as np
import pandas as pd
import pytest
import torch
from latentlaw.data.phantoms import PHANTOMS, phantom_map
from latentlaw.data.simulate import Acquisition, simulate_tomogram
from latentlaw.data.splits import split_particles
from latentlaw.errors import DataError
from latentlaw.geometry.rotations import quaternion_to_matrix
from latentlaw.geometry.volumes import rotate_images

TEMPLATES = {name: phantom_map(PHANTOMS[name](), 32, 10.0) for name in ("antibody", "bilobe")}


def simulate(snr: float, tilt: float, particles: int = 4):
    return simulate_tomogram(
        "t",
        TEMPLATES,
        Acquisition((48, 96, 96), 10.0, snr, tilt),
        particles=particles,
        generator=torch.Generator().manual_seed(0),
    )


def test_posed_template_lies_at_the_listed_place() -> None:
    simulated = simulate(1e6, 90)
    row = simulated.particles.iloc[0]
    quaternion = torch.tensor([row[name] for name in ("qw", "qx", "qy", "qz")])
    template = torch.from_numpy(TEMPLATES[row["label"]])[None, None]
    posed = rotate_images(template, quaternion_to_matrix(quaternion)[None].float())[0, 0].numpy()
    z, y, x = (int(row[axis] / 10) for axis in "zyx")
    found = simulated.volume[z - 8 : z + 8, y - 8 : y + 8, x - 8 : x + 8]
    np.testing.assert_allclose(found, posed[8:24, 8:24, 8:24], atol=0.05 * posed.max())


def test_noise_is_at_the_asked_ratio() -> None:
    clean, noisy = simulate(1e9, 60).volume, simulate(0.5, 60).volume
    assert clean.var() / (noisy - clean).var() == pytest.approx(0.5, rel=0.02)


def test_same_seed_gives_the_same_tomogram() -> None:
    np.testing.assert_array_equal(simulate(0.1, 60).volume, simulate(0.1, 60).volume)


def test_particles_that_do_not_fit_are_refused() -> None:
    with pytest.raises(DataError, match="fit in"):
        simulate(1, 60, particles=500)


def test_split_keeps_groups_together_and_balances_classes() -> None:
    table = simulate(1, 90, particles=8).particles
    table = table.loc[table.index.repeat(10)].reset_index(drop=True)
    table["group"] = [f"g{i // 5}" for i in range(len(table))]
    split = split_particles(table, seed=0)
    sides = table.assign(split=split).groupby("group")["split"].nunique()
    assert set(sides) == {1}
    assert {"train", "val", "test"} == set(split)
    assert (split == split_particles(table, seed=0)).all()


def test_two_tomograms_give_one_to_test_and_none_shared() -> None:
    table = simulate(1, 90, particles=8).particles
    table["group"] = ["a"] * 4 + ["b"] * 4
    split = split_particles(table, seed=0)
    tested = set(table["group"][split == "test"])
    assert len(tested) == 1
    assert not tested & set(table["group"][split != "test"])


def test_held_out_class_is_never_trained_on() -> None:
    table = simulate(1, 90, particles=8).particles.assign(group=list("abcdefgh"))
    split = split_particles(table, seed=0, hold_out=("bilobe",))
    assert set(split[table["label"] == "bilobe"]) == {"held_out"}
    with pytest.raises(DataError, match="hold_out"):
        split_particles(table, seed=0, hold_out=("bilob",))


def test_one_group_cannot_be_split() -> None:
    with pytest.raises(DataError, match="at least two groups"):
        split_particles(simulate(1, 90).particles, seed=0)


def test_no_class_is_lost_to_training_where_two_groups_hold_it() -> None:
    table = pd.DataFrame(
        [("a", "g1")] * 20 + [("a", "g2")] * 20 + [("b", "g1")] * 9 + [("b", "g2")] * 9
        + [("c", f"h{i}") for i in range(12)],
        columns=["label", "group"],
    )  # fmt: skip
    split = split_particles(table, seed=0)
    for name in ("train", "val", "test"):
        assert set(table["label"][split == name]) == {"a", "b", "c"}
    assert not set(table["group"][split == "test"]) & set(table["group"][split != "test"])
