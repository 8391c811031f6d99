"""The voxel size of a source: what its file says, which the user may supply but not contradict."""

from pathlib import Path

import numpy as np

from latentlaw.errors import DataError

#: Sizes that differ by a smaller share are the same size, rounded.
SAME_SIZE = 0.01


def agreed_size(path: Path, found: float | None, given: float | None) -> float:
    """Return the edge of a voxel in angstrom.

    Parameters
    ----------
    path
        The source, for the message.
    found
        What the file says; None: nothing that can be used.
    given
        What the user says; None: nothing.

    Raises
    ------
    DataError
        If neither says it, `given` is no positive length, or the two differ by more than 1 %.
    """
    if given is None:
        if found is None:
            raise DataError(f"{path}: found no voxel size; pass voxel_size in angstrom")
        return found
    if not (given > 0 and np.isfinite(given)):
        raise DataError(f"voxel_size: found {given}, expected a positive length in angstrom")
    if found is not None and abs(found - given) > SAME_SIZE * found:
        raise DataError(
            f"{path}: found {found:g} angstrom per voxel, expected the {given:g} of voxel_size; "
            "correct one of them"
        )
    return given
