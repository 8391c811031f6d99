"""The STAR file that a particle stack was cut from, kept in it: `particles.star`."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
from numpy.typing import NDArray

from latentlaw.data.particles.stack import ParticleStack
from latentlaw.data.star.reading import QUATERNION
from latentlaw.data.star.text import StarText, encode_star, parse_star
from latentlaw.data.star.writing import write_star
from latentlaw.errors import DataError

NAME = "particles.star"


def keep_star(folder: Path, source: StarText, rows: NDArray[np.integer[Any]]) -> None:
    """Write a STAR file into a stack's folder, with its particles `rows` `(n,)`, in this order."""
    kept = source.with_particles(source.particles.select(rows))
    (folder / NAME).write_bytes(encode_star(kept))


def check_star(stack: ParticleStack, source: StarText | None, name: str | Path) -> None:
    """Refuse to append particles of a file where one STAR file out of both would lose something.

    Parameters
    ----------
    stack
        The stack to append to.
    source
        The STAR file to append from; None if it is a file of another kind.
    name
        The file, for the message.

    Raises
    ------
    DataError
        If only one of stack and file has a STAR file, or their columns or optics groups differ.
    """
    kept = kept_star(stack)
    ours, theirs = (None if star is None else star.without_rows() for star in (kept, source))
    if ours != theirs:
        raise DataError(
            f"{name}: found another kind of file, columns or optics than {stack.path} was cut "
            f"from ({'a' if kept else 'no'} STAR file), expected the same; extract into another "
            "`out`"
        )


def extend_star(stack: ParticleStack, source: StarText, rows: NDArray[np.integer[Any]]) -> None:
    """Add particles `rows` `(k,)` of a STAR file to the one that a local stack keeps.

    It replaces the one there at once; a stack that does not grow after all takes no more of its
    rows than it has particles.
    """
    kept = kept_star(stack)
    if kept is None:
        return
    added = source.particles.select(rows).rows
    block = replace(kept.particles, rows=kept.particles.rows + added)
    partial = Path(stack.path, f"{NAME}.partial")
    partial.write_bytes(encode_star(kept.with_particles(block)))
    partial.replace(Path(stack.path, NAME))


def kept_star(stack: ParticleStack) -> StarText | None:
    """Return the STAR file that a stack was cut from, one row per particle; None without one.

    Raises
    ------
    DataError
        If it has fewer rows than the stack has particles.
    """
    location = f"{stack.path}/{NAME}"
    try:
        with fsspec.open(location, "rb") as file:
            star = parse_star(file.read(), location)
    except FileNotFoundError:
        return None
    count = len(star.particles.rows)
    if count < len(stack):
        raise DataError(
            f"{location}: found {count} particles, expected the {len(stack)} of the stack; "
            "extract it again"
        )
    # More of them were being appended when the process was killed: they do not count.
    return star.with_particles(star.particles.select(np.arange(len(stack))))


def write_poses(
    path: str | Path, stack: ParticleStack, quaternions: NDArray[np.floating[Any]]
) -> None:
    """Write a stack's particles with new orientations as a STAR file, in the stack's order.

    If the stack was cut from a STAR file, that is written with only the angles replaced.

    Parameters
    ----------
    path
        STAR file to write.
    stack
        That the particles are in.
    quaternions
        Of all particles, `(n, 4)`, scalar first: the rotation from a reference to the particle.

    Raises
    ------
    DataError
        If the stack's own STAR file does not fit it.
    """
    posed = stack.table.assign(**dict(zip(QUATERNION, quaternions.T, strict=True)))
    source = kept_star(stack)
    write_star(path, posed, stack.voxel_size_a or 1.0, source=source, updated=["pose"])


def write_selected(
    path: str | Path, stack: ParticleStack, rows: NDArray[np.integer[Any]], **columns: Any
) -> None:
    """Write some of a stack's particles as a STAR file: lines of its own one, if it has one.

    Parameters
    ----------
    path
        STAR file to write.
    stack
        That the particles are in.
    rows
        Places `(k,)` of the particles in the stack, in the order to write.
    columns
        Further values of the particles, `(k,)` each, written as `latentlaw…`.

    Raises
    ------
    DataError
        If the stack's own STAR file does not fit it.
    """
    source = kept_star(stack)
    if source is not None:
        source = source.with_particles(source.particles.select(rows))
    chosen = stack.table.iloc[rows].assign(**columns)
    write_star(path, chosen, stack.voxel_size_a or 1.0, source=source)
