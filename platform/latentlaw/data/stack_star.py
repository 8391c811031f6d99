"""The STAR file that a particle stack was cut from, kept in it: `particles.star`."""

from pathlib import Path
from typing import Any

import fsspec
import numpy as np
from numpy.typing import NDArray

from latentlaw.data.particles import ParticleStack
from latentlaw.data.star_text import StarText, encode_star, parse_star
from latentlaw.errors import DataError

NAME = "particles.star"


def keep_star(folder: Path, source: StarText, rows: NDArray[np.integer[Any]]) -> None:
    """Write a STAR file into a stack's folder, with its particles `rows` in the stack's order."""
    kept = source.with_particles(source.particles.select(rows))
    (folder / NAME).write_bytes(encode_star(kept))


def kept_star(stack: ParticleStack) -> StarText | None:
    """Return the STAR file that a stack was cut from, a row a particle; None without one.

    Raises
    ------
    DataError
        If its rows are not as many as the stack has particles.
    """
    location = f"{stack.path}/{NAME}"
    try:
        with fsspec.open(location, "rb") as file:
            star = parse_star(file.read(), location)
    except FileNotFoundError:
        return None
    if len(star.particles.rows) != len(stack):
        raise DataError(
            f"{location}: {len(star.particles.rows)} particles, but the stack has {len(stack)}; "
            "extract it again"
        )
    return star
