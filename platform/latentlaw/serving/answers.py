"""What a model says of a particle: a record of plain numbers and text."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentlaw.discovery.equations.law import Law
from latentlaw.errors import DataError, nearest_hint
from latentlaw.evaluation.head.head import LatentHead

Array = NDArray[np.floating[Any]]

#: Parts of an answer that a caller may choose from. `latents` is `z0, z1, …`; `pose` the unit
#: quaternion `qw, qx, qy, qz`, where the model has one; `expression`, `value` (the log-odds or
#: logit of the class) and `terms` are of the equation that decided, where there are equations.
PARTS = (
    "class",
    "probability",
    "probabilities",
    "novelty",
    "latents",
    "pose",
    "expression",
    "value",
    "terms",
)


def check_parts(returns: Iterable[str] | None) -> frozenset[str]:
    """Return the parts asked for; all of them where none are named.

    Raises
    ------
    DataError
        If a part is unknown.
    """
    wanted = PARTS if returns is None else tuple(returns)
    for name in wanted:
        if name not in PARTS:
            hint = nearest_hint(str(name), PARTS) or f"; known: {', '.join(PARTS)}"
            raise DataError(f"returns: found {str(name)[:40]!r}{hint}")
    return frozenset(wanted)


def answer(
    mu: Array,
    quaternions: Array | None,
    *,
    head: LatentHead,
    law: Law | None,
    returns: Iterable[str] | None = None,
) -> list[dict[str, Any]]:
    """Answer for each particle; the law decides the class where there is one.

    Parameters
    ----------
    mu
        Latent means `(n, d)`.
    quaternions
        Unit quaternions `(n, 4)`, w first, or None where the model has no explicit pose.
    head
        Says how novel a particle is, and its class where there is no law.
    law
        Says the class; None: the head does.
    returns
        Names of `PARTS`; None: all that the model has.
    """
    parts = check_parts(returns)
    decider = head if law is None else law
    names, probabilities = decider.class_names, decider.probabilities(mu)
    winners = probabilities.argmax(axis=1)
    columns: dict[str, Any] = {
        "class": [names[k] for k in winners],
        "probability": probabilities.max(axis=1).tolist(),
        "probabilities": [dict(zip(names, row, strict=True)) for row in probabilities.tolist()],
    }
    if "novelty" in parts:
        columns["novelty"] = head.novelty(mu).tolist()
    chosen = {name: values for name, values in columns.items() if name in parts}
    if "latents" in parts:
        chosen |= {f"z{j}": column for j, column in enumerate(mu.T.tolist())}
    if "pose" in parts and quaternions is not None:
        chosen |= dict(zip(("qw", "qx", "qy", "qz"), quaternions.T.tolist(), strict=True))
    if law is not None and parts & {"expression", "value", "terms"}:
        chosen |= {k: v for k, v in law.decisions(mu, winners).items() if k in parts}
    return [dict(zip(chosen, row, strict=True)) for row in zip(*chosen.values(), strict=True)]
