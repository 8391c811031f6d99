"""Picking against its peers on the demo's tomograms, of which the model saw one.

`python -m tests.results picking` takes what the measurement `demo` made before. Where a peer
leaves a choice open (a width, where its score is cut), it is the best on the tomogram that was
trained on; ours is by its defaults.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from latentlaw.data.formats.mrc import read_map
from latentlaw.data.particles.splits import TRAIN
from latentlaw.data.particles.stack import open_stack
from latentlaw.data.tomograms.contrast import Contrast
from latentlaw.data.tomograms.names import tomograms_by_name
from latentlaw.data.tomograms.store import Tomogram
from latentlaw.evaluation.embed import embed
from latentlaw.evaluation.head.densities import unit_vectors
from latentlaw.geometry.rotations import spread_rotations
from latentlaw.geometry.volumes import apply_fourier_mask, rotate_images, wedge_mask
from latentlaw.serving.bundle import Bundle
from latentlaw.serving.log import load_logged_bundle
from latentlaw.serving.prediction.answering import ModelPlace
from latentlaw.serving.prediction.peaks import apart
from latentlaw.serving.prediction.picking import Picking, pick
from latentlaw.serving.prediction.predictions import TABLE
from latentlaw.serving.prediction.windows import WindowPart
from latentlaw.serving.prediction.work import Settings
from latentlaw.tracking.reading.splits import load_split
from numpy.typing import NDArray
from scipy.fft import irfftn, rfftn
from scipy.ndimage import gaussian_laplace
from skimage.feature import peak_local_max

from tests.benchmarks.detection import compare_picks
from tests.results.records import Row

SIZE_A, TOLERANCE_A, STRIDE, BOX, TILT_DEG = 10.0, 50.0, 4, 32, 60.0
WIDTHS, ROTATIONS = (4.0, 5.0, 6.0, 7.0, 8.0), 150  # voxels; about 47 degrees apart
Volume = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Picks:
    """Places `(n, 3)` zyx in angstrom, best first, their scores and, where told, classes."""

    places: NDArray[np.float64]
    scores: NDArray[np.float64]
    classes: NDArray[np.str_] | None = None

    def first(self, count: int) -> "Picks":
        """Return the best of them."""
        classes = None if self.classes is None else self.classes[:count]
        return Picks(self.places[:count], self.scores[:count], classes)

    def measures(self, truth: pd.DataFrame) -> dict[str, float]:
        """Return precision, recall, F1, mean distance and the share of right classes."""
        found = compare_picks(self.places, truth[list("zyx")].to_numpy(), TOLERANCE_A)
        told = {"precision": found.precision, "recall": found.recall, "F1": found.f1}
        told["distance, A"] = float(found.distances.mean())
        if self.classes is not None:
            labels = truth["label"].to_numpy(str)
            right = self.classes[found.pairs[:, 0]] == labels[found.pairs[:, 1]]
            told["classes right"] = float(right.mean())
        return told


def peaks_of(
    score: Volume, *, first: int = 0, step: int = 1, classes: NDArray[np.str_] | None = None
) -> Picks:
    """Return peaks of a score at voxels `first`, `first + step`, …, kept apart as ours are."""
    places = peak_local_max(score, min_distance=1, exclude_border=False, num_peaks=2000)
    heights = score[tuple(places.T)]
    voxels = first + places * float(step)
    kept = apart(voxels, heights, BOX / 2)
    told = None if classes is None else classes[tuple(places[kept].T)]
    return Picks(voxels[kept] * SIZE_A, heights[kept], told)


def laplacian(volume: Volume, width: float) -> Picks:
    """Pick by the Laplacian of a Gaussian."""
    return peaks_of(-gaussian_laplace(volume, width))


def templates(volume: Volume, maps: dict[str, Volume]) -> Picks:
    """Pick by the correlation with the true phantoms, turned and without their missing wedge."""
    transform = rfftn(volume - volume.mean(), workers=1)
    best = np.full(volume.shape, -np.inf, np.float32)
    classes = np.zeros(volume.shape, np.int8)
    turns = spread_rotations(ROTATIONS, 3)
    names = sorted(maps)
    for number, name in enumerate(names):
        images = torch.from_numpy(maps[name]).expand(len(turns), 1, *maps[name].shape)
        for turned in rotate_images(images, turns)[:, 0]:
            shown = apply_fourier_mask(turned, wedge_mask(tuple(turned.shape), TILT_DEG)).numpy()
            shown = shown - shown.mean()
            padded = np.zeros(volume.shape, np.float32)
            padded[tuple(map(slice, shown.shape))] = shown / np.linalg.norm(shown)
            padded = np.roll(padded, [-(size // 2) for size in shown.shape], (0, 1, 2))
            score = irfftn(transform * rfftn(padded).conj(), volume.shape)
            classes[score > best] = number
            best = np.maximum(best, score)
    return peaks_of(best, classes=np.array(names)[classes])


def latents(bundle: Bundle, tomogram: Tomogram) -> Iterator[tuple[str, Picks]]:
    """Pick by what latents of windows alone say."""
    axes = [np.arange(STRIDE // 2, size, STRIDE) for size in tomogram.shape]
    shape = [len(axis) for axis in axes]
    centres = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    place = ModelPlace("", "", "cpu", batch_size=32)
    part = WindowPart(place, tomogram, centres, BOX, "bright", Path())
    mu = np.concatenate([embed(bundle.model, windows).mu for windows in part.batches()])
    prototypes = unit_vectors(np.array(bundle.head.densities.centres))
    told = np.array(bundle.class_names)[bundle.probabilities(mu).argmax(axis=1)].reshape(shape)
    cosines = (unit_vectors(mu) @ prototypes.T).max(axis=1)
    for name, score in (
        ("cosine to the nearest class's mean latent", cosines),
        ("density of the nearest class", -bundle.head.novelty_score(mu)),
        ("probability of the class", bundle.probabilities(mu).max(axis=1)),
    ):
        yield name, peaks_of(score.reshape(shape), first=STRIDE // 2, step=STRIDE, classes=told)


def ours(bundle: Bundle, store: Tomogram, contrast: Contrast = "bright") -> Picks:
    """Pick by the defaults of `predict`."""
    with tempfile.TemporaryDirectory() as folder:
        picking = Picking(contrast=contrast)
        report = pick(bundle, store.path, Path(folder) / "picks", Settings(), picking=picking)
        table = pd.read_parquet(report.path / TABLE)
    return Picks(
        table[list("zyx")].to_numpy(), table["score"].to_numpy(), table["class"].to_numpy(str)
    )


def cut_where_best(picks: Picks, truth: pd.DataFrame) -> tuple[float, float]:
    """Return the score to cut at for the best F1, and that."""
    places, best = truth[list("zyx")].to_numpy(), (0.0, 0.0)
    for count in range(1, min(len(picks.places), 300) + 1):
        found = compare_picks(picks.places[:count], places, TOLERANCE_A)
        best = max(best, (found.f1, float(picks.scores[count - 1])))
    return best[1], best[0]


@dataclass(frozen=True)
class Comparison:
    """The tomogram that was trained on, `seen`, and the `other`, with their particles."""

    stores: dict[str, Tomogram]
    truth: dict[str, pd.DataFrame]
    seen: str
    other: str

    def of_peers(self, volumes: dict[str, Volume], maps: dict[str, Volume]) -> Iterator[Row]:
        """Yield rows of a Laplacian of the best width, and of the true templates."""
        trials, seconds = timed(
            lambda volume: {width: laplacian(volume, width) for width in WIDTHS}, volumes
        )
        width = max(
            WIDTHS, key=lambda w: cut_where_best(trials[self.seen][w], self.truth[self.seen])[1]
        )
        blobs = {name: trials[name][width] for name in trials}
        method = f"Laplacian of a Gaussian, {width:g} voxels"
        yield from self.rows(method, blobs, seconds / len(WIDTHS), cut=True)
        matched, seconds = timed(lambda volume: templates(volume, maps), volumes)
        method = f"the true templates, {ROTATIONS} turns of each"
        yield from self.rows(method, matched, seconds, cut=True)

    def rows(
        self, method: str, picks: dict[str, Picks], seconds: float, *, cut: bool
    ) -> Iterator[Row]:
        """Yield what picks are worth, as they are or cut where F1 is best on `seen`."""
        score, _ = cut_where_best(picks[self.seen], self.truth[self.seen]) if cut else (-np.inf, 0)
        for name, where in ((self.seen, "trained on: "), (self.other, "")):
            first = picks[name].first(int((picks[name].scores >= score).sum()))
            for measure, value in first.measures(self.truth[name]).items():
                if measure == "F1" or name == self.other:
                    yield Row(method, value, column=f"{where}{measure}", table="picked by")
        yield Row(method, seconds, column="s a tomogram", table="picked by")


def timed(work_on: Callable[[Any], Any], inputs: dict[str, Any]) -> tuple[dict[str, Any], float]:
    """Return what is made of each input, and the mean of seconds."""
    started = time.perf_counter()
    made = {name: work_on(value) for name, value in inputs.items()}
    return made, (time.perf_counter() - started) / len(inputs)


def read_maps(folder: Path) -> dict[str, Volume]:
    """Read the MRC files of a folder by name."""
    return {
        path.stem: np.array(read_map(path)[0], np.float32) for path in sorted(folder.glob("*.mrc"))
    }


def measure(model: str, work: Path) -> Iterator[Row]:
    """Yield rows of each method, given a training run of the demo and the folder that it made."""
    torch.set_num_threads(1)
    bundle, stack = load_logged_bundle(model), open_stack(work / "demo.particles.zarr")
    stores = tomograms_by_name(work / "tomograms")
    table = stack.table
    (seen,) = set(table["tomogram"][load_split(model, stack) == TRAIN])
    (other,) = set(stores) - {seen}
    truth = {name: table[table["tomogram"] == name] for name in stores}
    each = Comparison(stores, truth, seen, other)
    volumes = {
        name: store.read((slice(None),) * 3).astype(np.float32) for name, store in stores.items()
    }
    maps = read_maps(work / "simulated" / "templates")
    picks, seconds = timed(lambda store: ours(bundle, store), stores)
    yield from each.rows("ours", picks, seconds, cut=False)
    at, seconds = timed(lambda store: dict(latents(bundle, store)), stores)
    for method in at[seen]:
        yield from each.rows(method, {name: at[name][method] for name in at}, seconds, cut=True)
    yield from each.of_peers(volumes, maps)
