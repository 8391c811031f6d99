"""Splits keep groups together, balance classes, and never train on what is held out."""

import pandas as pd
import pytest
from latentlaw.data.particles.splits import split_particles
from latentlaw.errors import DataError


def particles(count: int) -> pd.DataFrame:
    """Particles of two classes in turn, all of one group."""
    labels = [("antibody", "bilobe")[i % 2] for i in range(count)]
    return pd.DataFrame({"label": labels, "group": "t"})


def test_split_keeps_groups_together_and_balances_classes() -> None:
    table = particles(8)
    table = table.loc[table.index.repeat(10)].reset_index(drop=True)
    table["group"] = [f"g{i // 5}" for i in range(len(table))]
    split = split_particles(table, seed=0)
    sides = table.assign(split=split).groupby("group")["split"].nunique()
    assert set(sides) == {1}
    assert {"train", "val", "test"} == set(split)
    assert (split == split_particles(table, seed=0)).all()


def test_two_tomograms_give_one_to_test_and_none_shared() -> None:
    table = particles(8)
    table["group"] = ["a"] * 4 + ["b"] * 4
    split = split_particles(table, seed=0)
    tested = set(table["group"][split == "test"])
    assert len(tested) == 1
    assert not tested & set(table["group"][split != "test"])


def test_held_out_class_is_never_trained_on() -> None:
    table = particles(8).assign(group=list("abcdefgh"))
    split = split_particles(table, seed=0, hold_out=("bilobe",))
    assert set(split[table["label"] == "bilobe"]) == {"held_out"}
    with pytest.raises(DataError, match="hold_out"):
        split_particles(table, seed=0, hold_out=("bilob",))


def test_one_group_cannot_be_split() -> None:
    with pytest.raises(DataError, match="at least two groups"):
        split_particles(particles(4), seed=0)


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
