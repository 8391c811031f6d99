from dataclasses import replace

import hypothesis.strategies as st
import numpy as np
import pytest
import sympy
from hypothesis import example, given
from latentlaw.discovery.equations.expressions import complexity, latents_of, parse, to_text
from latentlaw.discovery.pareto import pareto_front
from latentlaw.discovery.search.assemble import head_candidates, ladder, searches_that_found
from latentlaw.discovery.search.choice import Assembled, choose, draw_folds, out_of_fold_values
from latentlaw.discovery.search.deadline import Deadline
from latentlaw.discovery.search.polynomials import polynomial_laws
from latentlaw.discovery.search.refit import (
    Objective,
    Sample,
    elimination_path,
    head_values,
    loosened,
    mean_loss,
    refit,
    round_constants,
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


def taught(data, *texts, noise=0.0, seed=0):
    """The same particles with logits that follow `texts`."""
    values = head_values(heads_of(*texts), data)
    noise = noise * np.random.default_rng(seed).normal(size=values.shape)
    return replace(data, logits=values + noise)


def test_powers_of_powers_that_a_file_could_not_hold_are_left_out():
    # Without its constants it is z0**32.
    nested = ((parse("0.5*z0**4 + 0.3", NAMES) ** 2 + 0.1) ** 2 + 0.2) ** 2 - 0.4
    data = sample(60, 0)
    found = head_candidates([(nested, 0)], data, largest=40, deadline=Deadline(60))
    assert found
    for each in found:
        assert parse(to_text(each.expression), NAMES) is not None
    bare = [(parse("z0**8", NAMES) ** 4 - 0.4, 0)]
    (left,) = head_candidates(bare, data, largest=40, deadline=Deadline(60))
    assert not left.expression.has(parse("z0", NAMES))


@pytest.mark.parametrize("kind", ["labels", "weighted", "logits"])
@pytest.mark.parametrize(
    ("classes", "texts"),
    [
        (2, ["0.3*z0*z1 - 0.7*z0**2 + 0.1"]),
        (3, ["0.5*z0", "tanh(0.4*z1 + 0.2)/(1.0 + z0**2)", "1.5*exp(0.2*z0)*(z1 - 0.3)"]),
    ],
)
def test_gradient_is_that_of_the_objective(classes, texts, kind):
    data = sample(50, 0, classes)
    if kind == "weighted":
        data = data.balanced()
    if kind == "logits":
        data = taught(data, *["z0"] * len(texts))
    objective = Objective(heads_of(*texts), data)
    theta = objective.start + 0.1
    loss, slope, matrix = objective.expand(theta)
    assert loss == pytest.approx(objective.loss(theta))
    for i in range(len(theta)):
        step = np.zeros_like(theta)
        step[i] = 1e-5
        numeric = (objective.loss(theta + step) - objective.loss(theta - step)) / 2e-5
        assert slope[i] == pytest.approx(numeric, abs=1e-6)
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-12)
    assert np.linalg.eigvalsh(matrix).min() >= -1e-12


def test_curvature_is_the_second_derivative_where_logits_are_linear():
    objective = Objective(heads_of("0.3*z0 - 0.7*z1 + 0.1"), sample(50, 0))
    theta = objective.start
    _, slope, matrix = objective.expand(theta)
    for i, step in enumerate(1e-5 * np.eye(len(theta))):
        numeric = (objective.expand(theta + step)[1] - slope) / 1e-5
        np.testing.assert_allclose(matrix[i], numeric, atol=1e-4)


def test_refit_finds_the_constants_and_adds_the_missing_intercept():
    data = sample(20_000, 1)
    (fitted,) = refit((loosened(parse("z0", NAMES)),), data)
    assert float(fitted.coeff(parse("z0", NAMES))) == pytest.approx(2.0, abs=0.12)
    assert float(fitted.subs(dict.fromkeys(fitted.free_symbols, 0))) == pytest.approx(
        -1.0, abs=0.1
    )


def test_refit_to_logits_is_exact():
    data = taught(sample(200, 1), "2.5*exp(0.7*z0) - 1.5*z1")
    (fitted,) = refit(heads_of("1.0*exp(0.1*z0) - 1.0*z1"), data)
    assert mean_loss((fitted,), data) < 1e-12
    assert sorted(map(float, fitted.atoms(sympy.Float))) == pytest.approx([-1.5, 0.7, 2.5])


def test_separable_classes_keep_finite_constants():
    z = np.linspace(-1, 1, 40)[:, None] * [1.0, 0.0]
    (fitted,) = refit(heads_of("0.1*z0"), Sample(z, (z[:, 0] > 0).astype(np.int64), NAMES))
    assert 1 < float(fitted.coeff(parse("z0", NAMES))) < 1000


def test_weights_are_as_good_as_repeated_particles():
    data = sample(400, 6)
    rare = np.flatnonzero(data.labels == 1)[:20]
    common = np.flatnonzero(data.labels == 0)[:100]
    few = data.take(np.concatenate([rare, common]))
    many = data.take(np.concatenate([np.repeat(rare, 5), common]))
    by_weights, by_copies = (refit(heads_of("1.0*z0 + 0.1"), s)[0] for s in (few.balanced(), many))
    ours, theirs = (sorted(map(float, e.atoms(sympy.Float))) for e in (by_weights, by_copies))
    assert ours == pytest.approx(theirs, rel=1e-3)


def test_idle_terms_are_pruned_first_and_constants_rounded():
    data = sample(2000, 4)
    (start,) = refit(heads_of("2.0*z0 + 0.01*z1 + 0.01*z1*z0 - 1.0"), data)
    path = [head for (head,) in elimination_path((start,), data)]
    assert [len(sympy.Add.make_args(head)) for head in path] == [3, 2, 1, 1]
    assert latents_of(path[1]) == ("z0",)
    (short,) = round_constants((path[1],), data)
    assert len(to_text(short)) <= len("2.01*z0 - 1.01")
    assert mean_loss((short,), data) == pytest.approx(mean_loss((path[1],), data), rel=5e-3)


def test_polynomials_hold_the_best_law_of_each_size():
    data = taught(sample(300, 5), "2.0*z0*z1 - 1.0*z1 + 0.5", noise=0.1)
    operators = ("add", "sub", "mul", "square")
    laws = polynomial_laws(data, operators=operators, largest=20, deadline=Deadline(60))
    found = head_candidates([(law, None) for law in laws], data, largest=20, deadline=Deadline(60))
    front = pareto_front(found, lambda candidate: candidate.size_and_loss)
    law = next(c.expression for c in front if c.complexity == 11)
    assert law.free_symbols == parse("z0*z1", NAMES).free_symbols
    assert sorted(map(float, law.atoms(sympy.Float))) == pytest.approx([-1.0, 0.5, 2.0], abs=0.05)
    assert polynomial_laws(data, operators=("sub",), largest=20, deadline=Deadline(60)) == []


def test_candidates_know_which_searches_led_to_them():
    data = taught(sample(200, 7), "2.0*z0 - 1.0*z1")
    found = [
        (parse("1.9*z0 - 1.1*z1 + 0.1", NAMES), 0),
        (parse("2.1*(z0 - 0.5*z1)", NAMES), 1),
        (parse("3.0*z0", NAMES), 2),
        (parse("z0*z1", NAMES), None),
    ]
    candidates = head_candidates(found, data, largest=30, deadline=Deadline(60))
    best = min(candidates, key=lambda c: (round(c.loss, 9), c.complexity))
    assert best.complexity == 7
    assert searches_that_found(best.expression, candidates) == {0, 1}
    assert all(
        c.complexity <= 5 for c in head_candidates(found, data, largest=5, deadline=Deadline(60))
    )


def test_a_passed_deadline_leaves_the_largest_and_what_it_is_pruned_to():
    late = Deadline(0)
    data = taught(sample(200, 7), "2.0*z0 - 1.0*z1")
    found = [(parse("1.0*z0", NAMES), 0), (parse("1.0*z0 - 1.0*z1*z0", NAMES), 0)]
    candidates = head_candidates(found, data, largest=30, deadline=late)
    assert {latents_of(c.expression) for c in candidates} >= {("z0", "z1"), ("z0",)}
    assert late.hit


def test_ladder_grows_the_head_that_gains_most():
    data = sample(1500, 8, classes=3)
    fronts = []
    for k, text in enumerate(("1.0", "1.0*z0", "1.0*z1")):
        found = [(parse(text, NAMES), 0)]
        own = data.one_vs_rest(k)
        candidates = head_candidates(found, own, largest=9, deadline=Deadline(60))
        fronts.append(pareto_front(candidates, lambda candidate: candidate.size_and_loss))
    models = ladder(fronts, data)
    sizes = [sum(map(complexity, heads)) for heads in models]
    assert sizes == sorted(sizes)
    assert len(models) == sum(map(len, fronts)) - 2  # every step of every head
    losses = [mean_loss(refit(heads, data), data) for heads in models]
    assert losses == sorted(losses, reverse=True)
    assert {name for head in models[-1] for name in latents_of(head)} == {"z0", "z1"}


def test_folds_spread_classes_and_keep_groups_together():
    labels = np.repeat([0, 1], [40, 10])
    fold_of = draw_folds(labels, folds=5, seed=1)
    assert [np.bincount(labels[fold_of == k]).tolist() for k in range(5)] == [[8, 2]] * 5
    groups = np.arange(50) // 5
    fold_of = draw_folds(labels, groups, folds=5, seed=1)
    assert all(len(set(fold_of[groups == g])) == 1 for g in range(10))
    assert len(set(draw_folds(np.array([0, 1, 0])))) == 3
    assert len(set(draw_folds(np.array([0, 1, 0, 1]), np.zeros(4, dtype=np.int64)))) == 2


def test_a_particle_is_never_scored_by_constants_that_saw_it():
    data = sample(60, 9)
    fold_of = draw_folds(data.labels, seed=0)
    values = out_of_fold_values(heads_of("1.0*z0 + 0.1"), data, fold_of)
    held = fold_of == 2
    alone = refit(heads_of("1.0*z0 + 0.1"), data.take(~held))
    np.testing.assert_allclose(values[held], head_values(alone, data.take(held)), atol=1e-4)


def item(size, losses):
    return Assembled(heads_of("z0"), size, np.asarray(losses, dtype=float))


def test_choice_is_the_smallest_within_one_standard_error():
    large = item(20, [0.2, 0.1, 0.2, 0.2] * 5)
    middle = item(9, [0.1, 0.3, 0.2, 0.2] * 5)  # 0.025 worse, with an error of 0.025
    small = item(5, [0.3, 0.5] * 10)
    assert choose([small, middle, large]) is middle
    assert choose([small, middle, large], errors=0.5) is large
    assert choose([small]) is small
    same = item(30, large.losses)
    assert choose([same, large]) is large


@given(nodes=st.lists(st.integers(1, 6), min_size=1, max_size=8), seed=st.integers(0, 1000))
@example(nodes=[1, 2, 1, 1, 1, 2], seed=4)  # one is as small as the best of its size, and vague
def test_no_model_on_the_frontier_is_beaten_and_the_chosen_one_is_there(nodes, seed):
    losses = np.random.default_rng(seed).normal(1, 0.3, (len(nodes), 5))
    models = [Assembled((), n, loss) for n, loss in zip(nodes, losses, strict=True)]
    front = pareto_front(models, lambda model: model.size_and_loss)
    assert [m.complexity for m in front] == sorted({m.complexity for m in front})
    means = [m.losses.mean() for m in front]
    assert means == sorted(means, reverse=True)
    for model in models:
        assert any(
            m.complexity <= model.complexity and m.losses.mean() <= model.losses.mean()
            for m in front
        )
    for errors in (0.0, 1.0, 3.0):
        assert choose(front, errors) is choose(models, errors)
