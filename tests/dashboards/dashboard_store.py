"""A small tracking store in the true format: what `mlflow run .` leaves, written without it."""

import io
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from latentlaw.data.particles.stack import ParticleStack, open_stack
from latentlaw.data.particles.writer import new_stack
from latentlaw.serving.bundle import Bundle
from latentlaw.tracking import names
from mlflow import MlflowClient
from mlflow.entities import Metric, Param
from PIL import Image

CLASSES = ("proteasome", "ribosome", "TRiC", "apoferritin", "hemoglobin", "catalase")
STACK = "work/demo.particles.zarr"  # as runs name it, from the folder of the store of runs
EACH = 60
START_MS = 1_780_000_000_000
EQUATIONS = (
    ("proteasome", "2.31*z0 - 0.84*z1**2 + 0.4", r"2.31 z_{0} - 0.84 z_{1}^{2} + 0.4", 11),
    ("ribosome", "-1.7*z0 + tanh(z3)", r"- 1.7 z_{0} + \tanh{\left(z_{3} \right)}", 7),
    ("TRiC", "exp(-z1)/(1.2 + z0**2)", r"\frac{e^{- z_{1}}}{z_{0}^{2} + 1.2}", 10),
    ("apoferritin", "0.92*z1*z3 - 0.11", r"0.92 z_{1} z_{3} - 0.11", 7),
)
MEANINGS = {
    "z0": "area, r = 0.93",
    "z1": "x, r = -0.88",
    "z2": "collapsed, KL 0.01 nats",
    "z3": None,
}
FRONTIER = (
    ("cnn", "CNN on pixels", 184_342, 0.971, 0.968),
    ("dense", "dense network on latents", 2_310, 0.966, 0.964),
    ("sparse", "sparse network, 96 weights", 96, 0.961, 0.958),
    ("sparse", "sparse network, 24 weights", 24, 0.921, 0.911),
    ("logistic", "logistic regression", 54, 0.938, 0.931),
    ("equation", "equations, 12 nodes", 12, 0.791, 0.752),
    ("equation", "equations, 35 nodes", 35, 0.954, 0.951),
    ("equation", "equations, 61 nodes", 61, 0.957, 0.953),
)
ROBUSTNESS = {
    f"{kind}/{family}/{measure}": value - (0.2 if family == "cnn" else 0)
    for family in ("cnn", "equation")
    for kind, measure, value in (
        ("robustness", "eps_0", 0.95),
        ("robustness", "eps_0.05", 0.7),
        ("robustness", "eps_0.1", 0.4),
        ("robustness", "median_l2", 1.3),
        ("robustness", "inside", 0.62),
        ("robustness", "inside_chance", 0.25),
        ("shifts", "none", 0.95),
        ("shifts", "equal_intensity", 0.9),
    )
}


@dataclass
class Store:
    """A store in a folder, and how to add runs to it."""

    folder: Path
    ids: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.uri = f"sqlite:///{self.folder / 'mlflow.db'}"
        self.client = MlflowClient(tracking_uri=self.uri)
        location = (self.folder / "artifacts").as_uri()
        self.digest = ""
        self.experiment = self.client.create_experiment(names.EXPERIMENT, location)
        self._minute = 0

    def add(self, stage: str, *, parent: str | None = None, **tags: str) -> str:
        """Make a run that is still open."""
        self._minute += 7
        every = {names.TAG_STAGE: stage, **{f"latentlaw.{k}": v for k, v in tags.items()}}
        if parent:
            every[names.TAG_PARENT] = parent
        run = self.client.create_run(
            self.experiment, START_MS + self._minute * 60_000, tags=every, run_name=stage
        )
        run_id: str = run.info.run_id
        self.ids.setdefault(stage, run_id)
        return run_id

    def log(self, run_id: str, *, params: dict[str, Any], metrics: dict[str, Any]) -> None:
        """Write parameters, and metrics: a number, or a list with a value an epoch."""
        now = int(time.time() * 1000)
        points = [
            Metric(key, float(value), now, step)
            for key, values in metrics.items()
            for step, value in enumerate(values if isinstance(values, list) else [values])
        ]
        self.client.log_batch(run_id, points, [Param(k, str(v)) for k, v in params.items()])

    def put(self, run_id: str, name: str, content: Any) -> None:
        """Write an artifact: bytes as they are, a table as Parquet, anything else as JSON."""
        if isinstance(content, pd.DataFrame):
            buffer = io.BytesIO()
            content.to_parquet(buffer, index=False)
            content = buffer.getvalue()
        elif not isinstance(content, bytes):
            content = json.dumps(content).encode()
        scratch = self.folder / "scratch" / name
        scratch.parent.mkdir(parents=True, exist_ok=True)
        scratch.write_bytes(content)
        folder = str(Path(name).parent)
        self.client.log_artifact(run_id, str(scratch), None if folder == "." else folder)

    def put_bundle(self, run_id: str, bundle: Bundle) -> None:
        """Write a model where `load_logged_bundle` looks for that of a run."""
        folder = self.folder / "bundles" / run_id
        bundle.save(folder)
        self.client.log_artifacts(run_id, str(folder), f"{names.MODEL}/artifacts/bundle")

    def end(self, run_id: str, status: str = "FINISHED") -> None:
        """Close a run."""
        self.client.set_terminated(run_id, status)


def fill(store: Store, classes: tuple[str, ...] = CLASSES) -> Store:
    """Add two chains (with and without the affinity prior), as `main` writes them."""
    store.digest = write_stack(store.folder / STACK, classes).digest
    for seed, family in enumerate(("affinity-vae", "beta-vae")):
        parent = store.add("main", model_family=family)
        store.client.set_tag(parent, "mlflow.runName", "latentlaw")
        _train(store, parent, family, seed)
        _evaluate(store, parent, family, seed, classes)
        _discover(store, parent, family, seed)
        store.end(parent)
    failed = store.add("train", model_family="tc-vae")
    store.end(failed, "FAILED")
    return store


def _train(store: Store, parent: str, family: str, seed: int) -> None:
    run = store.add("train", parent=parent, model_family=family, data_digest=store.digest)
    epochs = np.arange(40)
    curve = np.exp(-epochs / 9)
    metrics: dict[str, Any] = {"throughput/images_per_s": 512.0}
    noise = np.random.default_rng(seed).normal(0, 0.004, (8, 40))
    for row, (term, low) in enumerate(
        (("loss", 0.21), ("reconstruction", 0.15), ("kl", 0.9), ("affinity", 0.08))
    ):
        if term == "affinity" and family == "beta-vae":
            continue
        for extra, split in enumerate(("train", "val")):
            values = low * (1 + 2 * curve + 0.1 * extra) + noise[row * 2 + extra]
            metrics[f"{split}/{term}"] = list(values)
    params = {"seed": seed, "latent_dims": 8, "beta": 0.01, "epochs": 40, "learning_rate": 1e-3}
    params |= {"data": STACK, "model": family, "gamma": 1.0 if family == "affinity-vae" else 0.0}
    store.log(run, params=params, metrics=metrics)
    store.end(run)


def _evaluate(store: Store, parent: str, family: str, seed: int, classes: tuple[str, ...]) -> None:
    run = store.add("evaluate", parent=parent, model_family=family, data_digest=store.digest)
    prior = affinity_of(len(classes))
    metrics = {
        "separation/silhouette": 0.61 - 0.22 * seed,
        "separation/davies_bouldin": 0.72 + 0.4 * seed,
        "separation/calinski_harabasz": 913.4 - 400 * seed,
        "classification/accuracy": 0.964 - 0.03 * seed,
        "classification/macro_f1": 0.961 - 0.03 * seed,
        "rotation/latent_cosine": 0.94 - 0.1 * seed,
        "pose/median_error_deg": 8.4 + 9 * seed,
    }
    if not seed:
        metrics["separation/affinity_spearman"] = 0.91
    store.log(run, params={"model": store.ids["train"], "data": STACK}, metrics=metrics)
    store.put(run, names.EMBEDDINGS, embeddings(classes, seed))
    learned = prior + np.random.default_rng(seed).normal(0, 0.05 + 0.2 * seed, prior.shape)
    learned = np.clip((learned + learned.T) / 2, -1, 1)
    np.fill_diagonal(learned, 1)
    given = None if seed else prior.tolist()
    store.put(
        run,
        names.AFFINITY,
        {"class_names": classes, "given": given, "used": given, "learned": learned.tolist()},
    )
    store.end(run)


def _discover(store: Store, parent: str, family: str, seed: int) -> None:
    run = store.add("discover", parent=parent, model_family=family, data_digest=store.digest)
    keys = ("family", "name", "complexity", "accuracy", "macro_f1")
    frontier = [dict(zip(keys, row, strict=True)) for row in FRONTIER]
    for row in frontier:
        row["accuracy"] = round(float(row["accuracy"]) - 0.02 * seed, 4)
        if row["family"] == "equation":
            row["expressions"] = {name: law for name, law, _, _ in EQUATIONS}
    store.put(run, names.FRONTIER, frontier)
    store.put(
        run,
        names.EQUATIONS,
        [
            {
                "class": c,
                "expression": e,
                "latex": tex,
                "complexity": n,
                "accuracy": 0.954,
                "found": {"times": 3, "of": 4},
            }
            for c, e, tex, n in EQUATIONS
        ],
    )
    store.put(run, names.LATENTS, [{"latent": z, "meaning": text} for z, text in MEANINGS.items()])
    for latent in (0, 1, 3):
        store.put(run, f"traversals/z{latent}.png", strip(latent))
    metrics = {
        "discovery/blackbox_accuracy": 0.971 - 0.02 * seed,
        "discovery/equation_accuracy": 0.954 - 0.02 * seed,
        "discovery/accuracy_ratio": 0.982,
        "discovery/equation_complexity": 35,
        "discovery/blackbox_complexity": 184_342,
        **ROBUSTNESS,
    }
    store.put(run, names.PERTURBATIONS, strip(3))
    store.log(run, params={"engine": "operon", "budget_s": 60}, metrics=metrics)
    store.end(run)


def affinity_of(size: int) -> Any:
    """Similarities that fall with the distance of the classes' places in the list."""
    places = np.arange(size)
    return np.cos(np.abs(places[:, None] - places) * np.pi / (size + 1))


def embeddings(classes: tuple[str, ...], seed: int, each: int = EACH) -> pd.DataFrame:
    """Clusters on a circle, a third of the particles unseen, a few without a label."""
    rng = np.random.default_rng(seed)
    angle = np.repeat(np.arange(len(classes)) * 2 * np.pi / len(classes), each)
    centres = np.column_stack((np.cos(angle), np.sin(angle)))
    points = centres + rng.normal(0, 0.13 + 0.12 * seed, centres.shape)
    labels: list[str | None] = list(np.repeat(np.array(classes, dtype=object), each))
    labels[::50] = [None] * len(labels[::50])
    ids = [f"p{i:07d}" for i in range(len(labels))]
    table = pd.DataFrame({"particle_id": ids, "label": labels})
    table["split"] = np.where(rng.random(len(table)) < 0.67, "train", "test")
    table["predicted"] = np.repeat(np.array(classes, dtype=object), each)
    table["probability"] = rng.uniform(0.4, 1, len(table))
    table["novelty"] = rng.uniform(0, 1, len(table))
    for dimension in range(4):
        table[f"z{dimension}"] = rng.normal(0, 1, len(table)).astype(np.float32)
    table["px"], table["py"] = points[:, 0], points[:, 1]
    return table


def write_stack(path: Path, classes: tuple[str, ...]) -> ParticleStack:
    """Write volumes of 12 voxels with a ball each, the larger the later its class."""
    z, y, x = np.mgrid[:12, :12, :12] - 6
    radius = np.repeat(np.arange(len(classes)) * 0.6 + 1.5, EACH)[:, None, None, None]
    images = (np.sqrt(z**2 + y**2 + x**2) < radius).astype(np.float32)[:, None]
    rows = pd.DataFrame({"label": np.repeat(classes, EACH), "tomogram": "t0"})
    rows[["z", "y", "x"]] = np.random.default_rng(0).uniform(100, 900, (len(rows), 3))
    with new_stack(path, item_shape=images.shape[1:], voxel_size_a=10.0) as writer:
        writer.append(images, rows)
    return open_stack(path)


def strip(latent: int) -> bytes:
    """Draw a traversal strip of a disc that grows, moves or brightens."""
    y, x = np.mgrid[:32, :32] - 15.5
    cells = []
    for step in np.linspace(0, 1, 9):
        radius = 5 + 8 * step if latent == 0 else 9
        shift = 6 * (step - 0.5) if latent == 1 else 0
        level = 80 + 175 * step if latent == 3 else 230
        disc = level / (1 + np.exp(np.hypot(y, x - shift) - radius))
        cells.append(np.pad(disc, 2, constant_values=255))
    image = np.kron(np.concatenate(cells, axis=1).astype(np.uint8), np.ones((3, 3), np.uint8))
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG")
    return buffer.getvalue()
