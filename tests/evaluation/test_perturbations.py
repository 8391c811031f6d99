"""What a change is made of, where it was made on purpose."""

import numpy as np
import pandas as pd
import pytest
from latentlaw.data.simulation.nuclei import FACTORS, render_nuclei
from latentlaw.evaluation.meanings.image_features import foregrounds
from latentlaw.evaluation.meanings.perturbations import (
    energy_inside,
    feature_changes,
    named_features,
)


def nuclei(**columns: list[float]) -> np.ndarray:
    """Nuclei in the middle of their factors' ranges but for `columns`."""
    n = len(next(iter(columns.values())))
    table = pd.DataFrame({name: [(low + high) / 2] * n for name, (low, high) in FACTORS.items()})
    return render_nuclei(table.assign(**columns), 40)


def test_a_change_inside_has_all_its_energy_there_and_one_outside_none() -> None:
    images = nuclei(size=[0.15, 0.2, 0.25])
    masks = foregrounds(images)
    change = np.random.default_rng(0).normal(size=images.shape)
    assert energy_inside(change * masks, masks).tolist() == [1, 1, 1]
    assert energy_inside(change * ~masks, masks).tolist() == [0, 0, 0]


def test_a_change_that_is_alike_everywhere_is_at_the_level_of_chance() -> None:
    masks = foregrounds(nuclei(size=[0.15, 0.25]))
    chance = masks.mean(axis=(1, 2, 3))
    np.testing.assert_allclose(energy_inside(np.full(masks.shape, -0.3), masks), chance)
    assert chance[0] < chance[1] < 0.5


def test_no_change_has_no_share() -> None:
    masks = foregrounds(nuclei(size=[0.2]))
    assert np.isnan(energy_inside(np.zeros(masks.shape), masks)).all()


def test_features_are_those_that_were_drawn() -> None:
    found = named_features(nuclei(size=[0.18, 0.22], elongation=[1.5, 2.0], intensity=[0.5, 1.0]))
    np.testing.assert_allclose(found["elongation"], [1.5, 2.0], rtol=0.1)
    np.testing.assert_allclose(found["area"], np.pi * (np.array([0.18, 0.22]) * 40) ** 2, rtol=0.1)
    ratio = found["total intensity"][1] / found["total intensity"][0]
    assert ratio == pytest.approx(2 * (0.22 / 0.18) ** 2, rel=0.1)


def test_each_channel_has_its_own_features() -> None:
    images = np.concatenate((nuclei(size=[0.15]), nuclei(size=[0.25])), axis=1)
    found = named_features(images)
    assert found["area of channel 0"][0] < found["area of channel 1"][0]
    assert "elongation of channel 1" in found


def test_changes_are_in_standard_deviations_of_the_images() -> None:
    before = pd.DataFrame({"area": [10.0, 20.0, 30.0], "elongation": [1.0, 1.0, 1.0]})
    after = before + pd.DataFrame(
        {"area": [0.0, 8.16496580927726, np.nan], "elongation": [1.0] * 3}
    )
    found = feature_changes(before, after)
    np.testing.assert_allclose(found["area"], [0, 1, np.nan])
    assert found["elongation"].isna().all()  # which does not vary


def test_an_image_of_nothing_has_no_elongation() -> None:
    found = named_features(np.full((1, 1, 8, 8), 2.0))
    assert found["area"].tolist() == [0]
    assert np.isnan(found["elongation"][0])
