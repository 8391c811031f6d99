"""Disentanglement of codes whose score is known."""

import numpy as np
import pandas as pd
import pytest
from latentlaw.errors import DataError
from latentlaw.evaluation.scores.disentanglement import (
    dci,
    disentanglement_scores,
    mutual_information_gap,
    separated_predictability,
)
from numpy.typing import NDArray
from scipy.linalg import hadamard
from scipy.stats import special_ortho_group

N, K = 2000, 4
Array = NDArray[np.float64]


@pytest.fixture(scope="module")
def factors() -> pd.DataFrame:
    values = np.random.default_rng(0).uniform(-1, 1, (N, K))
    return pd.DataFrame(values, columns=["size", "elongation", "intensity", "texture"])


def test_the_factors_themselves_score_one(factors: pd.DataFrame) -> None:
    scores = disentanglement_scores(factors.to_numpy(), factors)
    assert list(scores) == [
        "disentanglement/mig",
        "disentanglement/dci_disentanglement",
        "disentanglement/dci_completeness",
        "disentanglement/dci_informativeness",
        "disentanglement/sap",
    ]
    for name, score in scores.items():
        assert score == pytest.approx(1, abs=0.05), name


def test_an_even_rotation_scores_low_though_it_holds_everything(factors: pd.DataFrame) -> None:
    rotation = hadamard(K) / np.sqrt(K)  # each latent mixes all factors alike
    scores = disentanglement_scores(factors.to_numpy() @ rotation, factors)
    assert scores.pop("disentanglement/dci_informativeness") > 0.8
    for name, score in scores.items():
        assert score == pytest.approx(0, abs=0.1), name


def test_random_rotations_score_low(factors: pd.DataFrame) -> None:
    rotations = special_ortho_group.rvs(K, size=8, random_state=0)
    gaps = [mutual_information_gap(factors.to_numpy() @ r, factors.to_numpy()) for r in rotations]
    assert np.mean(gaps) < 0.25


def test_independent_noise_scores_zero(factors: pd.DataFrame) -> None:
    noise = np.random.default_rng(2).normal(size=(N, K))
    for name, score in disentanglement_scores(noise, factors).items():
        assert score == pytest.approx(0, abs=0.05), name


def test_order_sign_and_scale_of_latents_do_not_matter(factors: pd.DataFrame) -> None:
    rng = np.random.default_rng(3)
    codes = factors.to_numpy() @ (np.eye(K) + 0.3 * rng.normal(size=(K, K)))
    changed = codes[:, [2, 0, 3, 1]] * [-3.0, 1.0, 0.5, -20.0]
    first, second = (disentanglement_scores(z, factors) for z in (codes, changed))
    for name, score in first.items():
        exact = "dci" not in name  # a forest breaks ties by chance
        assert second[name] == pytest.approx(score, abs=1e-9 if exact else 0.02), name


def test_gaps_of_a_copied_factor_are_zero(factors: pd.DataFrame) -> None:
    twice = factors.to_numpy()[:, [0, 0]]
    assert mutual_information_gap(twice, twice[:, :1]) == pytest.approx(0)
    assert separated_predictability(twice, twice[:, :1]) == pytest.approx(0)


def test_sap_is_the_squared_correlation_of_noisy_copies() -> None:
    rng = np.random.default_rng(4)
    truth, noise, other = rng.normal(size=(3, 20_000))
    codes = np.stack((truth + noise, other), axis=1)  # r^2 = 1/2 and 0
    assert separated_predictability(codes, truth[:, None]) == pytest.approx(0.5, abs=0.02)


def test_one_latent_of_two_factors_is_complete_and_not_disentangled() -> None:
    size, texture = np.random.default_rng(5).uniform(size=(2, N))
    # The first latent interleaves both factors' leading digits; the second is noise.
    both = np.floor(8 * size) + np.floor(8 * texture) / 8
    codes = np.stack((both, np.zeros(N)), axis=1)
    found = dci(codes, np.stack((size, texture), axis=1))
    assert found.completeness == pytest.approx(1)
    assert found.disentanglement == pytest.approx(0, abs=1e-6)
    assert found.informativeness > 0.9


def test_constant_latents_and_a_single_one_are_measured(factors: pd.DataFrame) -> None:
    padded = np.concatenate((factors.to_numpy(), np.full((N, 2), 7.0)), axis=1)
    for name, score in disentanglement_scores(padded, factors).items():
        assert score == pytest.approx(1, abs=0.05), name
    alone = disentanglement_scores(padded[:, :1], factors[["size"]])
    assert all(score == pytest.approx(1, abs=0.05) for score in alone.values())
    nothing = disentanglement_scores(padded[:, -1:], factors)
    assert all(score == pytest.approx(0) for score in nothing.values())


def test_what_cannot_be_measured_is_named(factors: pd.DataFrame) -> None:
    codes = factors.to_numpy().copy()
    with pytest.raises(DataError, match="factor 'texture': found 2 in every row"):
        disentanglement_scores(codes, factors.assign(texture=2.0))
    with pytest.raises(DataError, match="factor 'size': found NaN"):
        disentanglement_scores(codes, factors.assign(size=np.nan))
    with pytest.raises(DataError, match=f"found 9 rows for {N} images"):
        disentanglement_scores(codes, factors[:9])
    codes[3, 2] = np.inf
    with pytest.raises(DataError, match="latents z2: found NaN or infinite"):
        disentanglement_scores(codes, factors)
