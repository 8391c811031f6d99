"""Parameters of `evaluate`."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from pipelines.cli.parameters import Entry


def _split_groups(value: Any) -> Any:
    """Split `a=D7,b=O` into point groups by class."""
    if not isinstance(value, str):
        return value
    parts = [part.partition("=") for part in value.split(",")]
    return {name.strip(): group.strip() for name, _, group in parts}


Symmetries = Annotated[dict[str, str] | None, BeforeValidator(_split_groups)]


class Evaluate(Entry):
    """Measure separation, classification, invariance and novelty on held-out particles."""

    model: str = Field(description="run id, or runs:/ or models:/ URI of a model")
    data: str = Field(description="particle stack, NAME.particles.zarr")
    train_data: str | None = Field(
        None,
        description="stack that the model was trained on, where `data` is another, to fit "
        "classifiers on its latents; none: `data` is that stack",
    )
    affinity: str | None = Field(
        None,
        description="affinity CSV with the classes kept from training, to place them by; "
        "none: the model's",
    )
    symmetry: Symmetries = Field(
        None, description="point groups, for the error of poses, as in CLASS=D7,CLASS=O; none: C1"
    )
