"""Parameters of `discover`."""

from typing import Annotated, Literal

from latentlaw.discovery.networks.sparse import SparseMethod
from latentlaw.discovery.search.engines.engine import SearchSpec
from latentlaw.discovery.search.engines.selection import EngineName
from latentlaw.discovery.search.equation_search import Targets
from latentlaw.evaluation.meanings.shifts import Shift
from pydantic import AfterValidator, BeforeValidator, Field

from pipelines.cli.parameters import Entry, split_commas


def some_above_zero(radii: tuple[float, ...]) -> tuple[float, ...]:
    """Refuse radii of which none is a change."""
    if not any(radii):
        raise ValueError("expected at least one radius above 0")
    return radii


Operators = Annotated[tuple[str, ...], BeforeValidator(split_commas)]
Radii = Annotated[
    tuple[Annotated[float, Field(ge=0, le=1000)], ...],
    BeforeValidator(split_commas),
    AfterValidator(some_above_zero),
]
Shifts = Annotated[
    tuple[Annotated[str, AfterValidator(lambda text: Shift.parse(text).name)], ...],
    BeforeValidator(split_commas),
]
BlackBoxes = Annotated[
    tuple[Literal["cnn", "resnet"], ...], Field(min_length=1), BeforeValidator(split_commas)
]

Attacked = Annotated[
    int | None,
    Field(
        ge=0,
        description="test particles to attack; 0: skip the attacks; none: up to 200, fewer "
        "of large images",
    ),
]


class Discover(Entry):
    """Fit models from black boxes to equations; log the frontier and a model of laws."""

    model: str = Field(description="run id, or runs:/ or models:/ URI of a model")
    data: str = Field(description="particle stack, NAME.particles.zarr")
    classes: str | None = Field(
        None,
        description="classes to tell apart, as in Interphase=G1+S+G2,Prophase; none: all",
    )
    engine: EngineName = Field(
        "auto",
        description="engine of the symbolic regression; auto: PySR if Julia is there, else Operon",
    )
    budget_s: float = Field(60.0, gt=0, description="seconds for the search for equations")
    max_complexity: int = Field(30, ge=3, le=100, description="most nodes of one expression")
    targets: Targets = Field(
        "both",
        description="what equations are fitted to: both, a network's logits (distil), or labels",
    )
    operators: Operators = Field(
        SearchSpec.operators, description="operators of the equations, as in add,mul,div,tanh"
    )
    sparse_method: SparseMethod = Field(
        "magnitude",
        description="how sparse networks are found: sparse from the start, or pruned by magnitude",
    )
    black_boxes: BlackBoxes = Field(
        ("cnn", "resnet"),
        description="networks on pixels; the best is what laws are compared with",
    )
    epochs: int = Field(
        30, ge=1, description="passes over the data in training a network on pixels"
    )
    epsilons: Radii = Field(
        (0.0, 0.05, 0.1, 0.2),
        description="radii of attacks: largest change of a pixel, in units of normalised images",
    )
    epsilons_l2: Radii = Field(
        (0.5, 1.0, 2.0), description="radii of attacks: L2 norm of the change, in the same units"
    )
    attacked: Attacked = None
    shifts: Shifts = Field(
        (
            "noise_0.1",
            "noise_0.3",
            "blur_1",
            "blur_2",
            "intensity_0.8",
            "intensity_1.25",
            "rotation_15",
            "rotation_90",
            "translation_2",
            "translation_4",
            "equal_intensity",
        ),
        description="natural shifts of the test images, KIND_STRENGTH or equal_intensity",
    )
