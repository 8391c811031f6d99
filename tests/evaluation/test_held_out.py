"""Which particles an evaluation is made on, and what it says of them."""

import numpy as np
import pytest
from latentlaw.evaluation.embed import Embedding
from latentlaw.evaluation.head.head import fit_head
from latentlaw.evaluation.measures import (
    EmbeddedParticles,
    embedding_table,
    measure,
    measure_classifiers,
    measure_placement,
    measure_pose,
)
from latentlaw.priors.table import AffinityTable
from scipy.spatial.transform import Rotation

CENTRES = np.eye(4, dtype=np.float32)


def sample(turn: Rotation) -> tuple[EmbeddedParticles, np.ndarray]:
    """Classes a, b (trained) and c, d (kept away) about four axes; poses true up to `turn`."""
    generator = np.random.default_rng(0)
    labels = np.repeat(list("abcd"), 20)
    split = np.where(np.isin(labels, ["c", "d"]), "held_out", "test").astype("<U8")
    for name in "ab":
        split[np.flatnonzero(labels == name)[:12]] = ["train"] * 8 + ["val"] * 4
    labels[-1], split[-1] = "", "train"
    mu = CENTRES[np.repeat(range(4), 20)] + 0.02 * generator.normal(size=(80, 4))
    for unseen, relative in (("c", 0), ("d", 1)):  # c lies beside a, d beside b
        mu[labels == unseen] += CENTRES[relative]
    train = split == "train"
    head = fit_head(mu[train & (labels != "")], labels[train & (labels != "")], mu[split == "val"])
    truth = Rotation.random(80, rng=generator)
    pose = (truth * turn).as_quat(scalar_first=True).astype(np.float32)
    codes = Embedding(mu.astype(np.float32), np.zeros_like(mu, np.float32), pose)
    return EmbeddedParticles(head, codes, labels, split), truth.as_quat(scalar_first=True)


def test_only_what_was_not_trained_on_is_measured() -> None:
    particles, _ = sample(Rotation.identity())
    assert set(particles.labels[particles.test]) == {"a", "b"}
    assert particles.test.sum() == 16
    assert particles.unseen.sum() == 39
    measured = measure(particles, None)
    assert np.sum(measured.confusion["counts"]) == 16
    assert measured.metrics["classification/accuracy"] == 1.0
    assert measured.metrics["separation/affinity_spearman"] is None
    metrics, confusions = measure_classifiers(particles, seed=0)
    assert metrics["classification/knn_accuracy"] == 1.0
    assert {name: np.sum(c["counts"]) for name, c in confusions.items()} == dict.fromkeys(
        ("knn", "logistic", "mlp"), 16
    )


def test_classifiers_of_another_stack_are_fitted_on_training_particles_that_are_added() -> None:
    trained, _ = sample(Rotation.identity())
    train = trained.split == "train"
    foreign = EmbeddedParticles(
        trained.head, trained.codes, trained.labels, np.full(len(train), "test")
    )
    assert measure_classifiers(foreign, seed=0) == ({}, {})
    codes = Embedding(
        trained.codes.mu[train], trained.codes.logvar[train], trained.codes.pose[train]
    )
    both = foreign.and_training(codes, trained.labels[train])
    metrics, confusions = measure_classifiers(both, seed=0)
    assert metrics["classification/knn_accuracy"] == 1.0
    assert np.sum(confusions["knn"]["counts"]) == foreign.test.sum() == 40


def test_an_unseen_class_beside_its_relative_is_placed_first() -> None:
    particles, _ = sample(Rotation.identity())
    near = AffinityTable(
        tuple("abcd"),
        np.array([[1, 0, 0.7, 0], [0, 1, 0, 0.6], [0.7, 0, 1, 0], [0, 0.6, 0, 1]]),
    )
    scores = measure_placement(particles, near)
    assert scores["novelty/relative_rank"] == 1.0
    assert scores["novelty/affinity_spearman"] > 0.7
    assert measure_placement(
        EmbeddedParticles(
            particles.head, particles.codes, np.where(particles.unseen, "", particles.labels),
            particles.split,
        ),
        near,
    ) == {}  # fmt: skip


def test_poses_are_measured_up_to_one_frame_and_only_where_known() -> None:
    particles, truth = sample(Rotation.from_euler("x", 70, degrees=True))
    scores = measure_pose(particles, truth, None)
    assert scores["pose/median_error_deg"] < 1e-2
    assert set(scores) == {"pose/median_error_deg", *(f"pose/median_error_deg/{c}" for c in "ab")}
    assert measure_pose(particles, np.full_like(truth, np.nan), None) == {}


def test_the_table_has_every_particle_and_null_where_there_is_no_label() -> None:
    particles, _ = sample(Rotation.identity())
    table = embedding_table(particles)
    assert len(table) == 80
    assert table["label"].isna().tolist() == (particles.labels == "").tolist()
    chances = particles.head.probabilities(particles.codes.mu)
    assert table["probability"].tolist() == pytest.approx(chances.max(axis=1).tolist())
    assert table.loc[particles.test, "predicted"].tolist() == list(
        particles.labels[particles.test]
    )
    np.testing.assert_array_equal(table[[f"z{i}" for i in range(4)]], particles.codes.mu)
