"""Pose error: exact where the answer is known, up to a frame a class and the symmetry."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from latentlaw.data.star.reading import QUATERNION, read_star
from latentlaw.data.star.writing import write_star
from latentlaw.errors import DataError
from latentlaw.evaluation.scores.pose import (
    as_rotations,
    fit_frame,
    pose_errors,
    pose_errors_by_class,
    symmetry_group,
)
from scipy.spatial.transform import Rotation


def quaternions(rotations: Rotation) -> np.ndarray:
    return np.asarray(rotations.as_quat(scalar_first=True))


@given(st.sampled_from(["C1", "C2", "C7", "D2", "D7", "T", "O", "I"]), st.integers(0, 99))
def test_symmetric_copies_in_any_frame_have_no_error(name: str, seed: int) -> None:
    generator = np.random.default_rng(seed)
    group, frame = symmetry_group(name), Rotation.random(rng=generator)
    truth = Rotation.random(30, rng=generator)
    copies = group[generator.integers(len(group), size=30)]
    labels = np.full(30, "a")
    errors = pose_errors_by_class(
        quaternions(truth * copies * frame), quaternions(truth), labels, {"a": name}
    )
    assert errors["a"].max() < 1e-3


def test_half_turns_are_errors_of_half_a_turn_without_the_symmetry() -> None:
    truth = Rotation.random(40, rng=np.random.default_rng(0))
    flip = Rotation.from_euler("Z", [[180 if i < 12 else 0] for i in range(40)], degrees=True)
    labels = np.full(40, "a")
    given_poses = quaternions(truth * flip), quaternions(truth), labels
    errors = pose_errors_by_class(*given_poses)["a"]
    np.testing.assert_allclose(errors[:12], 180, atol=1e-3)  # outliers do not pull the frame
    np.testing.assert_allclose(errors[12:], 0, atol=1e-3)
    assert pose_errors_by_class(*given_poses, {"a": "C2"})["a"].max() < 1e-3


def test_each_class_has_a_frame_of_its_own() -> None:
    generator = np.random.default_rng(1)
    truth = Rotation.random(40, rng=generator)
    labels = np.repeat(["a", "b"], 20)
    frames = Rotation.random(2, rng=generator)[np.repeat([0, 1], 20)]
    errors = pose_errors_by_class(quaternions(truth * frames), quaternions(truth), labels)
    assert max(e.max() for e in errors.values()) < 1e-3
    together = pose_errors_by_class(
        quaternions(truth * frames), quaternions(truth), np.full(40, "a")
    )
    assert together["a"].max() > 10


def test_error_is_the_angle_that_was_added() -> None:
    truth = Rotation.random(200, rng=np.random.default_rng(2))
    axes = Rotation.random(200, rng=np.random.default_rng(3)).apply([0.0, 0.0, 1.0])
    predicted = truth * Rotation.from_rotvec(axes * np.radians(10))
    frame = fit_frame(predicted, truth, symmetry_group("C1"))
    errors = pose_errors(predicted, truth, frame, symmetry_group("C1"))
    assert np.median(errors) == pytest.approx(10, abs=1)


def test_random_poses_are_far_from_the_truth() -> None:
    generator = np.random.default_rng(4)
    guess, truth = Rotation.random(300, rng=generator), Rotation.random(300, rng=generator)
    errors = pose_errors_by_class(quaternions(guess), quaternions(truth), np.full(300, "a"))
    assert np.median(errors["a"]) > 90


def test_an_angle_in_the_plane_is_measured_alike() -> None:
    angle = np.radians(np.arange(0, 360, 12.0))
    off = angle + 1.0
    off[0] += np.radians(25)
    pairs = [np.stack((np.cos(a), np.sin(a)), axis=1) for a in (off, angle)]
    errors = pose_errors_by_class(pairs[0], pairs[1], np.full(30, "e"))["e"]
    assert errors[0] == pytest.approx(25, abs=1e-3)
    assert errors[1:].max() < 1e-3


def test_poses_and_groups_that_are_none_are_refused() -> None:
    with pytest.raises(DataError, match="found 'D0', expected Cn or Dn"):
        symmetry_group("D0")
    with pytest.raises(DataError, match="found shape"):
        as_rotations(np.zeros((4, 3)))
    with pytest.raises(DataError, match="1 values not finite"):
        as_rotations(np.array([[1.0, 0, 0, np.nan]]))


def test_poses_go_out_as_zyz_euler_angles(tmp_path: Path) -> None:
    truth = Rotation.random(5, rng=np.random.default_rng(5))
    table = pd.DataFrame(
        {"particle_id": list("abcde"), "label": "x", "tomogram": "t", "z": 1.0, "y": 2.0, "x": 3.0}
    )
    table[QUATERNION] = quaternions(truth)
    write_star(tmp_path / "p.star", table, pixel_size_a=10.0)
    back = read_star(tmp_path / "p.star")
    errors = pose_errors(
        as_rotations(back[QUATERNION].to_numpy(dtype=float)),
        truth,
        Rotation.identity(),
        symmetry_group("C1"),
    )
    assert errors.max() < 1e-3
