"""Latents with known laws for the discovery tests."""

import itertools

import numpy as np
from latentlaw.discovery.latents import LatentData, LatentSplit

LAW = "2.9*z0*z1 - 1.1*z2**2 + 0.5"


def split_latents(z, y, names, dims):
    n = len(y)
    cuts = (0, int(n * 0.6), int(n * 0.8), n)
    splits = [LatentSplit(z[a:b], y[a:b]) for a, b in itertools.pairwise(cuts)]
    return LatentData(*splits, names, tuple(f"z{i}" for i in range(dims)))


def planted(n=1000, seed=0):
    """Two classes by the sign of `LAW` of z0..z2, 5 % of labels flipped, z3 and z4 idle."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, 5)).astype(np.float32)
    truth = (2.9 * z[:, 0] * z[:, 1] - 1.1 * z[:, 2] ** 2 + 0.5 > 0).astype(np.int64)
    y = np.where(rng.random(n) < 0.05, 1 - truth, truth)
    return split_latents(z, y, ("no", "yes"), 5), truth[int(n * 0.8) :]


def clusters(n=200, dims=8, classes=3, seed=0, names=None):
    """Gaussian clusters, three standard deviations apart or so."""
    rng = np.random.default_rng(seed)
    y = rng.integers(classes, size=n).astype(np.int64)
    y[:classes] = np.arange(classes)
    means = np.random.default_rng(9).normal(size=(classes, dims))
    z = (means[y] + rng.normal(size=(n, dims))).astype(np.float32)
    return split_latents(z, y, names or tuple("abcdefghij"[:classes]), dims)
