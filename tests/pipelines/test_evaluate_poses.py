"""Poses of `evaluate` go out as a STAR file whose angles are the quaternions that were found."""

from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
from latentlaw.data.particles.stack import ParticleStack, open_stack
from latentlaw.data.particles.star_rows import keep_star, write_poses
from latentlaw.data.particles.writer import new_stack
from latentlaw.data.star.euler import euler_to_quaternion
from latentlaw.data.star.reading import ANGLES, PARTICLE_ID, POSITION_PX, QUATERNION, read_star
from latentlaw.data.star.text import read_star_text
from latentlaw.data.star.writing import write_star
from latentlaw.evaluation.embed import embed
from latentlaw.serving.log import load_logged_bundle
from mlflow import MlflowClient

from pipelines import evaluate, train


def cut_stack(n: int, folder: Path) -> ParticleStack:
    """Noise at places of two tomograms, as if cut by a STAR file with a column of its own."""
    generator = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "particle_id": [f"n{i}" for i in range(n)],
            "label": ["a", "b"] * (n // 2),
            "group": [f"g{i}" for i in range(n)],
            "tomogram": [f"t{i % 2}" for i in range(n)],
            **{axis: generator.uniform(100, 900, n).round(1) for axis in "zyx"},
            **dict(zip(QUATERNION, generator.normal(size=(4, n)), strict=True)),
        }
    )
    write_star(folder / "s.star", table.assign(note="007"), 2.0)
    with new_stack(folder / "s.particles.zarr", item_shape=(1, 8, 8, 8)) as writer:
        writer.append(generator.normal(size=(n, 1, 8, 8, 8)).astype(np.float32), table)
        keep_star(writer.folder, read_star_text(folder / "s.star"), np.arange(n))
    return open_stack(folder / "s.particles.zarr")


def test_angles_turn_into_the_quaternions_that_were_found(
    tmp_path: Path, tracking_store: MlflowClient
) -> None:
    stack = cut_stack(24, tmp_path)
    run_id = train.run(
        train.Train(data=stack.path, gamma=0.0, decoder="splat", epochs=1, tilt_range=60)
    )
    evaluate.run(evaluate.Evaluate(model=run_id, data=stack.path))
    experiment = tracking_store.get_experiment_by_name("latentlaw")
    assert experiment is not None
    (evaluated,) = tracking_store.search_runs(
        [experiment.experiment_id],
        filter_string="tags.`latentlaw.stage` = 'evaluate'",
    )
    bundle = load_logged_bundle(run_id)
    assert bundle.model.config.tilt_range == 60
    found = embed(bundle.model, stack.images).pose

    path = mlflow.artifacts.download_artifacts(
        run_id=evaluated.info.run_id, artifact_path="poses.star"
    )
    table = read_star(path)
    overlap = np.abs((table[QUATERNION].to_numpy() * found).sum(axis=1))
    np.testing.assert_allclose(overlap, 1, atol=1e-6)
    np.testing.assert_allclose(table[["z", "y", "x"]], stack.table[["z", "y", "x"]])
    before, after = (read_star_text(f).particles for f in (tmp_path / "s.star", Path(path)))
    kept = [name for name in before.columns if name not in ANGLES]
    assert "latentlawNote" in kept
    pd.testing.assert_frame_equal(after.table(kept), before.table(kept))


def test_subvolumes_without_a_tomogram_get_angles_and_no_place(tmp_path: Path) -> None:
    turned = np.random.default_rng(0).normal(size=(3, 4))
    turned /= np.linalg.norm(turned, axis=1, keepdims=True)
    with new_stack(tmp_path / "s.particles.zarr", item_shape=(1, 4, 4, 4)) as writer:
        writer.append(np.zeros((3, 1, 4, 4, 4)), pd.DataFrame({"particle_id": ["a", "b", "c"]}))
    write_poses(tmp_path / "p.star", open_stack(tmp_path / "s.particles.zarr"), turned)
    particles = read_star_text(tmp_path / "p.star").particles
    assert not {"rlnTomoName", *POSITION_PX} & set(particles.columns)
    assert particles.table([PARTICLE_ID])[PARTICLE_ID].tolist() == ["a", "b", "c"]
    angles = particles.table(ANGLES).astype(float).to_numpy()
    overlap = np.abs((euler_to_quaternion(angles) * turned).sum(axis=1))
    np.testing.assert_allclose(overlap, 1, atol=1e-6)
