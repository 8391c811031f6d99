"""Boxes about placed particles, each region of the tomogram read once."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentlaw.data.extraction.cropping import (
    OpenBox,
    centred_box,
    cut_region,
    open_box,
    pad_value,
    plan_regions,
)
from latentlaw.data.extraction.placement import FRACTION, NEAREST
from latentlaw.data.scheduler import TaskRunner
from latentlaw.data.tomograms.contrast import Contrast, bright
from latentlaw.data.tomograms.store import Tomogram

_BATCH = 64  # boxes handed on together, so that a region is not copied as a whole


def cut_boxes(
    tomogram: Tomogram, rows: pd.DataFrame, box: int, tasks: TaskRunner, contrast: Contrast
) -> Iterator[tuple[NDArray[np.float32], pd.DataFrame]]:
    """Yield boxes `(n, 1, box, box, box)`, protein bright, and their rows as they become whole.

    Parameters
    ----------
    tomogram
        To cut them from.
    rows
        Of `place`: the nearest voxel `iz iy ix` of each particle and the rest `fz fy fx`.
    box
        Edge of a box in voxels.
    tasks
        Where regions are read.
    contrast
        Of protein in the tomogram.

    Raises
    ------
    DataError
        If a chunk of the tomogram is damaged.
    """
    wide = box + 2
    corners = rows[NEAREST].to_numpy() - box // 2 - 1
    fractions = rows[FRACTION].to_numpy()
    jobs = list(plan_regions(tomogram, corners, fractions, wide))
    due = np.bincount(np.concatenate([job.numbers for job in jobs]), minlength=len(rows))
    open_boxes: dict[int, OpenBox] = {}
    for result in tasks.map(cut_region, jobs):
        for start in range(0, len(result.numbers), _BATCH):
            batch = slice(start, start + _BATCH)
            yield bright(result.boxes[batch, None], contrast), rows.iloc[result.numbers[batch]]
        boxes, numbers = [], []
        for piece in result.pieces:
            target = open_boxes.get(piece.number) or open_box(wide, int(due[piece.number]))
            open_boxes[piece.number] = target
            if target.add(piece):
                del open_boxes[piece.number]
                padded = pad_value(target.voxels, target.filled)
                boxes.append(centred_box(padded, fractions[piece.number]))
                numbers.append(piece.number)
        if numbers:
            yield bright(np.stack(boxes)[:, None], contrast), rows.iloc[numbers]
