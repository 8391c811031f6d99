"""Centred similarities are a correlation matrix, whatever went in."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from latentlaw.priors.kernels import centred_affinity
from latentlaw.priors.table import symmetrise


@given(st.integers(3, 8), st.integers(0, 1000))
def test_similarities_of_vectors_become_their_correlations(n: int, seed: int) -> None:
    vectors = np.random.default_rng(seed).normal(size=(n, 12)) + 1
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    table = centred_affinity(tuple(map(str, range(n))), vectors @ vectors.T)
    centred = vectors - vectors.mean(axis=0)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    np.testing.assert_allclose(table.values, centred @ centred.T, atol=1e-6)


@given(st.integers(3, 8), st.integers(0, 1000))
def test_any_similarities_become_what_cosines_can_meet(n: int, seed: int) -> None:
    raw = np.random.default_rng(seed).uniform(0, 1, (n, n))
    table = centred_affinity(tuple(map(str, range(n))), symmetrise(raw))
    np.testing.assert_allclose(np.diag(table.values), 1)
    assert np.abs(table.values).max() <= 1
    assert table.smallest_eigenvalue > -1e-4
