"""Symbolic search on odd targets and latents gives a clear result, within its time budget."""

import time

import numpy as np
import pytest
from latentlaw.discovery.equations.expressions import latents_of
from latentlaw.discovery.latents import LatentData, LatentSplit, check_latents
from latentlaw.discovery.search.engines.engine import SearchSpec
from latentlaw.discovery.search.engines.operon import OperonEngine
from latentlaw.discovery.search.equation_search import EquationSearch
from latentlaw.errors import DataError, EngineError

NAMES = ("z0", "z1", "z2")
SPEC = SearchSpec(generations=8, population=200, threads=1)


class Line:
    """A teacher whose log-odds are those of a line."""

    def logits(self, latents):
        f = 2.0 * latents[:, 0] - 1.0 * latents[:, -1]
        return np.stack([-f / 2, f / 2], axis=1)


def data_of(latents):
    rows = len(latents)
    labels = (Line().logits(latents)[:, 1] > 0).astype(np.int64)
    cuts = (
        slice(6 * rows // 10),
        slice(6 * rows // 10, 8 * rows // 10),
        slice(8 * rows // 10, rows),
    )
    parts = (LatentSplit(latents[s], labels[s]) for s in cuts)
    return LatentData(*parts, ("no", "yes"), tuple(f"z{i}" for i in range(latents.shape[1])))


def find(latents, budget_s, largest=30):
    data = data_of(latents)
    scaling, _ = check_latents(data)
    search = EquationSearch(data, scaling, OperonEngine(), largest, 0, 1, targets="distil")
    started = time.monotonic()
    found = search.find(Line(), budget_s, lambda _step, _share: None)
    return found, time.monotonic() - started, data


@pytest.mark.parametrize("value", [0.0, 2.5])
def test_row_54_a_constant_target_gives_the_constant(value):
    z = np.random.default_rng(0).normal(size=(100, 3))
    front = OperonEngine().search(z, np.full(100, value), names=NAMES, spec=SPEC)
    assert [float(c.expression) for c in front.found] == [value]


def test_row_54_a_target_of_nan_is_an_error_of_the_engine():
    z = np.random.default_rng(0).normal(size=(100, 3))
    with pytest.raises(EngineError, match="NaN"):
        OperonEngine().search(z, np.full(100, np.nan), names=NAMES, spec=SPEC)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e38])
@pytest.mark.parametrize(("place", "split"), [(3, "train"), (70, "val"), (99, "test")])
def test_row_54_latents_that_are_not_finite_are_named(value, place, split):
    z = np.random.default_rng(0).normal(size=(100, 3)).astype(np.float32)
    z[place, 1] = value
    message = rf"{split} latents: found NaN, infinite .* 1 of \d+ particles \(in z1\)"
    with pytest.raises(DataError, match=message):
        check_latents(data_of(z))


def test_row_54_of_two_equal_columns_one_is_used():
    z = np.random.default_rng(1).normal(size=(400, 3)).astype(np.float32)
    found, _, _ = find(np.concatenate([z, z[:, :2]], axis=1)[:, [0, 1, 3, 4, 2]], 4)
    assert len(latents_of(found.chosen.heads[0])) == 2  # z0 or its copy z2, and z4
    assert "z4" in found.chosen.latents


def test_row_54_a_million_rows_keep_the_budget():
    z = np.random.default_rng(2).normal(size=(1_000_000, 4)).astype(np.float32)
    found, seconds, data = find(z, 6)
    assert seconds <= 6 * 1.1
    assert (found.chosen.predict(data.test.latents) == data.test.labels).mean() > 0.99


def test_row_54_two_hundred_latents_keep_the_budget():
    z = np.random.default_rng(3).normal(size=(1000, 200)).astype(np.float32)
    found, seconds, _ = find(z, 6)
    assert seconds <= 6 * 1.1
    assert set(found.chosen.latents) >= {"z0", "z199"}
