"""The law of a bundle without its network: latents in, answers out.

Nothing heavy is imported for it (torch, scikit-learn, SciPy, pandas, MLflow and SymPy are not), so
that a process answers a tenth of a second after it starts.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from latentlaw.discovery.equations.law import Law
from latentlaw.errors import CheckpointError
from latentlaw.evaluation.head.head import LatentHead
from latentlaw.serving.answers import Array, answer
from latentlaw.serving.digests import read_checked, read_digests
from latentlaw.serving.requests import Request, checked_latents

_HEAD, _EQUATIONS = "head.json", "equations.json"


@dataclass(frozen=True)
class LawBundle:
    """The equations of a model, and the head that says what is new to it."""

    law: Law
    head: LatentHead

    @property
    def class_names(self) -> tuple[str, ...]:
        """Classes in the order of `probabilities`."""
        return self.law.class_names

    @property
    def image_shape(self) -> None:
        """Of the images that it takes: none."""
        return None

    @property
    def latent_dims(self) -> int:
        """Latents of a particle."""
        return len(self.law.latent_names)

    def probabilities(self, mu: Array) -> Array:
        """Return class probabilities `(n, K)` of latent means `(n, d)`."""
        return self.law.probabilities(mu)

    def answers(self, mu: Array, *, returns: Iterable[str] | None = None) -> list[dict[str, Any]]:
        """Answer for each particle's latent means `(n, d)`, as the whole bundle does.

        There is no pose. See `latentlaw.serving.answers.PARTS`; None: all that there is.

        Raises
        ------
        DataError
            If the shape is another, there is no particle, a latent is not finite, or a part is
            unknown.
        """
        return self.respond(Request("latents", checked_latents(mu, self.latent_dims), returns))

    def respond(self, request: Request) -> list[dict[str, Any]]:
        """Answer a request for latents."""
        return answer(request.values, None, head=self.head, law=self.law, returns=request.returns)


def load_law(folder: Path) -> LawBundle:
    """Load the law of a bundle after checking the digests of its two files; no weights are read.

    Raises
    ------
    CheckpointError
        If the bundle has no equations, or a file is missing, changed, or not a law.
    """
    digests = read_digests(folder)
    if _EQUATIONS not in digests:
        raise CheckpointError(
            f"{folder}: found no equations, so latents alone are not answered; give the "
            "model of a `discover` run"
        )
    texts = [read_checked(folder, name, digests) for name in (_HEAD, _EQUATIONS)]
    try:
        return LawBundle(_law(json.loads(texts[1])), LatentHead.model_validate_json(texts[0]))
    except (ValueError, TypeError, ValidationError) as error:
        raise CheckpointError(
            f"{folder}: not a whole model bundle ({error}); fetch the model again"
        ) from error


def _law(record: dict[str, Any]) -> Law:
    if "programs" in record:
        return Law.from_dict(record)
    # Logged before laws were stored as programs.
    from latentlaw.discovery.equations.model import EquationModel

    return EquationModel.from_dict(record).law
