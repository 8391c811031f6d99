"""Names of latents that follow known features, or none."""

import json

import numpy as np
import pandas as pd
import pytest
from latentlaw.errors import DataError
from latentlaw.evaluation.embed import Embedding
from latentlaw.evaluation.meanings.latent_meanings import Meaning, latent_meanings
from numpy.typing import NDArray

N = 200


def codes(*latents: NDArray[np.floating], deviation: float = 0.1) -> Embedding:
    mu = np.stack(latents, axis=1).astype(np.float32)
    logvar = np.full_like(mu, 2 * np.log(deviation))
    return Embedding(mu, logvar, np.zeros((len(mu), 0), np.float32))


def drawn(columns: int, n: int = N, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(size=(columns, n))


def features(n: int = N) -> pd.DataFrame:
    area, eccentricity, x = drawn(3, n, seed=1)
    return pd.DataFrame({"area": area, "eccentricity": eccentricity, "x": x})


def test_a_latent_is_named_by_what_it_follows_with_its_sign() -> None:
    table = features()
    noise, idle = drawn(2)
    shape, size, place, nothing = latent_meanings(
        codes(
            -table["eccentricity"] + 0.3 * noise,
            np.exp(table["area"]),  # ranks do not care
            table["x"],
            idle,
        ),
        table,
    )
    assert shape.feature == "eccentricity"
    assert -1 < shape.correlations["eccentricity"] < -0.9
    assert shape.text == f"eccentricity, r = {shape.correlations['eccentricity']:.2f}"
    assert size.text == "area, r = 1.00"
    assert place.text == "x (nuisance), r = 1.00"
    assert place.to_dict()["nuisance"]
    assert not size.to_dict()["nuisance"]
    assert nothing.text is None
    assert not nothing.collapsed


def test_a_collapsed_latent_is_reported_and_not_named() -> None:
    table = features()
    tiny = 1e-3 * table["area"].to_numpy()
    (found,) = latent_meanings(codes(tiny, deviation=1.0), table)
    assert found.collapsed
    assert found.text == "collapsed, KL 0.000 nats"
    assert found.feature is None
    assert found.correlations["area"] == pytest.approx(1)
    assert found.kl_nats == pytest.approx(0, abs=1e-3)
    (plain,) = latent_meanings(codes(tiny, deviation=1.0), table, variational=False)
    assert plain.text == "area, r = 1.00"
    assert plain.kl_nats is None


def test_chance_names_no_latent_of_few_images() -> None:
    draws = [latent_meanings(codes(*drawn(30, n=12, seed=s)), features(12)) for s in range(2, 22)]
    high = [m for draw in draws for m in draw if abs(m.correlations["area"]) > 0.7]
    assert len(high) > 3  # high enough, but by chance
    assert sum(any(m.text for m in draw) for draw in draws) <= 3  # of 20, each at 5 %
    (few,) = latent_meanings(codes(features(9)["area"]), features(9))
    assert few.text is None


def test_constant_latents_and_features_have_no_correlation() -> None:
    table = features().assign(solidity=1.0, contrast=np.nan)
    constant, alive = latent_meanings(codes(np.full(N, 3.0), table["area"]), table)
    assert constant.text is None
    assert all(np.isnan(r) for r in constant.correlations.values())
    assert alive.text == "area, r = 1.00"
    assert np.isnan(alive.correlations["solidity"])
    assert np.isnan(alive.correlations["contrast"])


def test_images_without_an_object_are_left_out_of_its_shape() -> None:
    table = features()
    latent = table["eccentricity"].to_numpy().copy()
    table.loc[:20, "eccentricity"] = np.nan
    latent[:21] = 9.0
    (found,) = latent_meanings(codes(latent), table)
    assert found.text == "eccentricity, r = 1.00"


def test_latents_with_nan_are_refused_by_name() -> None:
    broken = drawn(3)
    broken[1, 5] = np.nan
    with pytest.raises(DataError, match="latents z1: found NaN"):
        latent_meanings(codes(*broken), features())
    with pytest.raises(DataError, match="found 8 rows for 200 images"):
        latent_meanings(codes(*drawn(1)), features(8))


def test_the_record_is_plain() -> None:
    record = Meaning("z0", 1.5, False, {"area": 0.9}, "area").to_dict()
    assert json.loads(json.dumps(record)) == {
        "latent": "z0",
        "meaning": "area, r = 0.90",
        "feature": "area",
        "correlation": 0.9,
        "unit": "px",
        "nuisance": False,
        "kl_nats": 1.5,
        "collapsed": False,
        "correlations": {"area": 0.9},
    }
