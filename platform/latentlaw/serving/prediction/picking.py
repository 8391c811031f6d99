"""Picking: particles found in tomograms without coordinates, and answered for.

Windows on a grid are scored by how well the model shows them (`reconstruction_correlation`): the
latent alone does not tell a particle from noise, which lands among the classes
(docs/experiments.md).
"""

import itertools
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentlaw.data.extraction.placement import ZYX, place
from latentlaw.data.table import particle_table
from latentlaw.data.tomograms.contrast import Contrast
from latentlaw.data.tomograms.names import common_voxel_size, tomograms_by_name
from latentlaw.data.tomograms.store import Tomogram
from latentlaw.errors import ConfigError, DataError
from latentlaw.progress import Progress, silent
from latentlaw.serving.bundle import Bundle
from latentlaw.serving.prediction.answering import ROW, Cutting
from latentlaw.serving.prediction.checks import box_of, check_stores
from latentlaw.serving.prediction.peaks import apart, find_background, local_maxima
from latentlaw.serving.prediction.predict import PredictReport, answer_placed
from latentlaw.serving.prediction.predictions import write_predictions
from latentlaw.serving.prediction.windows import MOVE, SCORE, WindowPart, align, score
from latentlaw.serving.prediction.work import Settings, Work, open_work

_BLOCK = 16  # windows along an edge of a part: some thousands, of one read
_MOVES = 2  # of a peak, after which hardly one moves on


@dataclass(frozen=True)
class Picking:
    """How particles are searched.

    Attributes
    ----------
    stride
        Voxels between windows; None: an eighth of the box.
    min_distance_a
        Least distance of two picks in angstrom; None: half the box.
    threshold
        Standard deviations above the mean score of the background that a pick needs; None: as many
        as one window of the tomogram is expected to reach by chance.
    """

    stride: int | None = None
    min_distance_a: float | None = None
    threshold: float | None = None
    contrast: Contrast = "bright"


@dataclass(frozen=True)
class Search:
    """A search of one tomogram: `Picking` with nothing left open, distances in voxels."""

    tomogram: Tomogram
    name: str
    box: int
    stride: int
    min_distance: float
    threshold: float | None
    contrast: Contrast

    @property
    def axes(self) -> list[NDArray[np.int64]]:
        """Voxels z, y, x of the windows' centres, `(k,)` each; the grid is in the middle."""
        starts = [(size - 1) % self.stride // 2 for size in self.tomogram.shape]
        return [
            np.arange(start, size, self.stride)
            for start, size in zip(starts, self.tomogram.shape, strict=True)
        ]


def pick(
    bundle: Bundle,
    source: str | Path,
    out: str | Path,
    settings: Settings,
    *,
    picking: Picking = Picking(),
    progress: Progress = silent,
) -> PredictReport:
    """Find particles in tomograms and answer for them, into the folder `out`; see `predict_stack`.

    Picks come best first in each tomogram, with their `score`: the correlation of the window with
    what the model shows, in standard deviations above the mean of the background.

    Parameters
    ----------
    bundle
        The model that looks and answers.
    source
        A tomogram store, a folder of them, or a copick tree.
    out
        Folder to write.
    settings
        Scheduler, batch size, device, and whether to overwrite.
    picking
        Stride, distance and threshold of the search, and the tomograms' contrast.
    progress
        Told how many windows or picks are done.

    Raises
    ------
    DataError
        If there is no store, its voxel size is not the model's, or nothing is above the threshold.
    ConfigError
        As `predict_stack`.
    """
    config = bundle.model.config
    stores = tomograms_by_name(source)
    searches = plan_searches(stores, box_of(config, source), picking)
    warnings = check_stores(config, stores, source)
    plan = {
        "tomograms": {name: tomogram.digest for name, tomogram in sorted(stores.items())},
        "picking": asdict(picking),
    }
    with open_work(out, bundle, plan, settings) as work:
        found = [find_particles(work, search, progress) for search in searches]
        picks = pd.concat(found, ignore_index=True)
        if picks.empty:
            raise DataError(
                f"{source}: found no window that stands out from the background; pass a lower "
                "threshold, in standard deviations of its score, and choose from the picks by "
                "their score"
            )
        particles, answers = _answer(work, stores, picks, searches[0], progress)
        write_predictions(
            work.folder,
            particles,
            answers,
            class_names=bundle.class_names,
            source=None,
            pixel_size_a=common_voxel_size(stores),
        )
    return PredictReport(Path(out), len(answers), nonfinite=0, warnings=warnings)


def plan_searches(stores: Mapping[str, Tomogram], box: int, picking: Picking) -> list[Search]:
    """Return the search of each tomogram, by name, for windows of edge `box`.

    Raises
    ------
    ConfigError
        If the stride is larger than half the box.
    """
    stride = picking.stride or max(1, box // 8)
    if stride > box // 2:
        raise ConfigError(
            f"stride: found {stride} voxels, expected at most {box // 2}, since more skip "
            f"particles between windows of {box}"
        )
    least_a = picking.min_distance_a
    return [
        Search(
            tomogram=tomogram,
            name=name,
            box=box,
            stride=stride,
            min_distance=box / 2 if least_a is None else least_a / tomogram.voxel_size_a,
            threshold=picking.threshold,
            contrast=picking.contrast,
        )
        for name, tomogram in sorted(stores.items())
    ]


def find_particles(work: Work, search: Search, progress: Progress) -> pd.DataFrame:
    """Return `tomogram, z, y, x` (angstrom) and `score` of a tomogram's picks, best first.

    Raises
    ------
    DataError
        If no window has finite voxels only.
    """
    scores = _scan(work, search, progress)
    if not np.isfinite(scores).any():
        raise DataError(
            f"{search.tomogram.path}: found NaN or infinite voxels in every window; mend the "
            "tomogram"
        )
    peaks = local_maxima(scores)
    background = find_background(
        scores, peaks, search.min_distance / search.stride, search.threshold
    )
    limit = background.threshold if search.threshold is None else search.threshold
    peaks = peaks[background.standardise(scores[tuple(peaks.T)]) > limit]
    centres = np.stack([a[i] for a, i in zip(search.axes, peaks.T, strict=True)], axis=1)
    places, heights = _align(work, search, centres, progress)
    deviations = background.standardise(heights)
    high = np.flatnonzero(deviations > limit)
    kept = high[apart(places[high].astype(np.float64), deviations[high], search.min_distance)]
    table = pd.DataFrame(places[kept] * search.tomogram.voxel_size_a, columns=ZYX)
    return table.assign(tomogram=search.name, **{SCORE: deviations[kept]})


def _scan(work: Work, search: Search, progress: Progress) -> NDArray[np.float64]:
    """Score the windows of the grid `(z, y, x)`."""
    axes = search.axes
    scores = np.full([len(axis) for axis in axes], np.nan)
    parts, where = [], []
    for corner in itertools.product(*(range(0, len(axis), _BLOCK) for axis in axes)):
        block = tuple(slice(start, start + _BLOCK) for start in corner)
        grid = np.meshgrid(*(a[b] for a, b in zip(axes, block, strict=True)), indexing="ij")
        centres = np.stack(grid, axis=-1).reshape(-1, 3)
        number = "-".join(f"{start:05d}" for start in corner)
        parts.append(_part(work, search, centres, f"scan-{search.name}-{number}"))
        where.append(block)
    work.finish(score, parts, f"search {search.name}", progress)
    for part, block in zip(parts, where, strict=True):
        scores[block] = pd.read_parquet(part.out)[SCORE].to_numpy().reshape(scores[block].shape)
    return scores


def _align(
    work: Work, search: Search, places: NDArray[np.int64], progress: Progress
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Move windows to what the model shows of them, and return places `(n, 3)` and scores.

    Places are whole voxels: interpolation between them would blur the noise, which the model
    never saw blurred.
    """
    scores = np.full(len(places), np.nan)
    last = np.array(search.tomogram.shape) - 1
    moves = np.zeros_like(places)
    for turn in range(_MOVES + 1):
        places = np.clip(places + moves, 0, last)
        blocks = places // (_BLOCK * search.stride)
        _, owners = np.unique(blocks, axis=0, return_inverse=True)
        mine = [np.flatnonzero(owners == owner) for owner in np.unique(owners)]
        wide = replace(search, box=search.box + 2 * search.stride)
        parts = [
            _part(work, wide, places[each], f"align-{search.name}-{turn}-{number:06d}")
            for number, each in enumerate(mine)
        ]
        work.finish(align, parts, f"align {search.name}", progress)
        for part, each in zip(parts, mine, strict=True):
            table = pd.read_parquet(part.out)
            moves[each], scores[each] = table[MOVE].to_numpy(), table[SCORE].to_numpy()
    return places, scores


def _part(work: Work, search: Search, centres: NDArray[np.int64], name: str) -> WindowPart:
    return WindowPart(
        model=work.model,
        tomogram=search.tomogram,
        centres=centres,
        box=search.box,
        contrast=search.contrast,
        out=work.part(name),
    )


def _answer(
    work: Work,
    stores: Mapping[str, Tomogram],
    picks: pd.DataFrame,
    search: Search,
    progress: Progress,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the particle table of picks, with their scores, and the answers for them."""
    cutting = Cutting(search.box, search.contrast, "fail")  # no window with NaN is a pick
    placed = place(
        picks, stores, search.box, source="picks", edge="pad", missing="fail", deduplicate=False
    ).rows
    answers = answer_placed(work, stores, placed, cutting, progress)
    found = placed.set_index(ROW).loc[answers.pop(ROW)].reset_index(drop=True)
    return particle_table(found).assign(**{SCORE: found[SCORE]}), answers
