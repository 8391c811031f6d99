"""A task: the classes to tell apart, of those that particles are labelled by."""

import numpy as np
from numpy.typing import NDArray

from latentlaw.errors import ConfigError, nearest_hint


def task_labels(labels: NDArray[np.str_], task: str) -> NDArray[np.str_]:
    """Return labels `(n,)` of a task, empty where a particle is of none of its classes.

    Parameters
    ----------
    labels
        Class names `(n,)`, empty where unlabelled.
    task
        Classes separated by commas; one may be others together: `Interphase=G1+S+G2,Prophase`.

    Raises
    ------
    ConfigError
        If a class does not occur, is named twice, or there are fewer than two.

    Examples
    --------
    >>> labels = np.array(["G1", "S", "Prophase", "Anaphase"])
    >>> task_labels(labels, "Interphase=G1+S,Prophase").tolist()
    ['Interphase', 'Interphase', 'Prophase', '']
    """
    known = sorted(set(labels.tolist()) - {""})
    told = np.full(len(labels), "", dtype=object)
    names: list[str] = []
    taken: set[str] = set()
    for rule in task.split(","):
        target, joined, parts = rule.partition("=")
        names.append(target.strip())
        for member in map(str.strip, (parts if joined else target).split("+")):
            if member not in known:
                hint = nearest_hint(member, known)
                raise ConfigError(
                    f"classes: found no class {member!r}{hint}, expected {', '.join(known)}"
                )
            if member in taken:
                raise ConfigError(f"classes: found {member!r} twice in {task!r}, expected once")
            taken.add(member)
            told[labels == member] = target.strip()
    if len(set(names)) < 2 or "" in names:
        raise ConfigError(
            f"classes: found {task!r}, expected two classes or more, as in A,B or New=A+B,C"
        )
    return told.astype(np.str_)
