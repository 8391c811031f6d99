import numpy as np
import pytest
from latentlaw.discovery.assemble import Assembled, choose
from latentlaw.discovery.expressions import parse, to_text
from latentlaw.discovery.refit import (
    Objective,
    Sample,
    mean_loss,
    refit,
    refit_if_better,
    simplify,
    snap_heads,
)

NAMES = ("z0", "z1")


def sample(n, seed, classes=2):
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, 2))
    f = np.stack([np.zeros(n), 2.0 * z[:, 0] - 1.0, -1.5 * z[:, 1]], 1)[:, :classes]
    p = np.exp(f) / np.exp(f).sum(1, keepdims=True)
    labels = (rng.random(n)[:, None] > p.cumsum(1)).sum(1).clip(max=classes - 1)
    return Sample(z, labels.astype(np.int64), NAMES)


def heads_of(*texts):
    return tuple(parse(text, NAMES) for text in texts)


@pytest.mark.parametrize(
    ("classes", "texts"),
    [
        (2, ["0.3*z0*z1 - 0.7*z0**2 + 0.1"]),
        (3, ["0.5*z0", "tanh(0.4*z1 + 0.2)", "1.5*z0*(z1 - 0.3)"]),
    ],
)
def test_gradient_is_that_of_the_loss(classes, texts):
    objective = Objective(heads_of(*texts), sample(50, 0, classes))
    theta = np.asarray(objective.start) + 0.1
    _, slope = objective(theta)
    for i in range(len(theta)):
        step = np.zeros_like(theta)
        step[i] = 1e-5
        numeric = (objective(theta + step)[0] - objective(theta - step)[0]) / 2e-5
        assert slope[i] == pytest.approx(numeric, abs=1e-6)


def test_refit_finds_the_constants_and_adds_the_missing_intercept():
    data = sample(20_000, 1)
    (fitted,) = refit(heads_of("0.1*z0"), data)
    assert float(fitted.coeff(parse("z0", NAMES))) == pytest.approx(2.0, abs=0.12)
    assert float(fitted.subs(dict.fromkeys(fitted.free_symbols, 0))) == pytest.approx(
        -1.0, abs=0.1
    )


def test_refit_is_kept_only_if_validation_improves():
    train, val = sample(500, 2), sample(500, 3)
    better = refit_if_better(heads_of("0.1*z0"), train, val, largest=30)
    assert mean_loss(better, val) < mean_loss(heads_of("0.1*z0"), val)
    upside_down = Sample(val.latents, 1 - val.labels, NAMES)
    start = heads_of("0.1*z0")
    assert refit_if_better(start, train, upside_down, largest=30) == start
    assert refit_if_better(start, train, val, largest=3) == start


def test_idle_terms_are_dropped_and_constants_rounded():
    train, val = sample(2000, 4), sample(2000, 5)
    found = refit(heads_of("2.0*z0 + 0.01*z1 - 1.0"), train)
    (short,) = snap_heads(simplify(found, train, val), val)
    assert "z1" not in to_text(short)
    assert len(to_text(short)) <= len("-1.0001 + 2.0001*z0")


def item(size, losses, accuracy):
    return Assembled(heads_of("z0"), size, np.asarray(losses, dtype=float), accuracy)


def test_choice_is_the_smallest_that_is_not_shown_to_be_worse():
    small = item(5, [0.3, 0.5] * 10, 0.9)
    middle = item(9, [0.1, 0.3, 0.2, 0.2] * 5, 0.995)
    large = item(20, [0.2, 0.1, 0.2, 0.2] * 5, 1.0)
    assert choose([small, middle, large]) is middle
    assert choose([small, large]) is large
    clearly_worse = item(5, [1.0] * 20, 1.0)
    assert choose([clearly_worse, large]) is large
