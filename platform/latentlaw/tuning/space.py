"""What a study searches: one range per parameter, typed and checked."""

from typing import Annotated, Any, Literal

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from latentlaw.errors import ConfigError

Choice = bool | int | float | str | None


class _Range(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class _Interval(_Range):
    low: float
    high: float
    log: bool = False
    step: float | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _fits(self) -> "_Interval":
        if not self.low < self.high:
            raise ValueError(f"found low {self.low:g}, expected one below high {self.high:g}")
        if self.log and self.low <= 0:
            raise ValueError(
                f"found low {self.low:g}, which has no logarithm; use a low above 0, or log: false"
            )
        if self.log and self.step is not None:
            raise ValueError("found step and log, expected one of the two; leave one out")
        return self

    def ends(self) -> tuple[Choice, ...]:
        """Return values such that if all of them are allowed, so is what lies between."""
        return self.low, self.high


class Float(_Interval):
    """A real number, uniform or on a logarithmic scale."""

    type: Literal["float"]

    def distribution(self) -> BaseDistribution:
        """Return Optuna's distribution."""
        return FloatDistribution(self.low, self.high, log=self.log, step=self.step)


class Int(_Interval):
    """A whole number."""

    type: Literal["int"]
    low: int
    high: int
    step: int | None = Field(None, gt=0)

    def distribution(self) -> BaseDistribution:
        """Return Optuna's distribution."""
        return IntDistribution(self.low, self.high, log=self.log, step=self.step or 1)


class Categorical(_Range):
    """One of several values without an order; a single one holds a parameter fixed."""

    type: Literal["categorical"]
    choices: tuple[Choice, ...] = Field(min_length=1)

    def ends(self) -> tuple[Choice, ...]:
        """Return every choice."""
        return self.choices

    def distribution(self) -> BaseDistribution:
        """Return Optuna's distribution."""
        return CategoricalDistribution(self.choices)


Range = Annotated[Float | Int | Categorical, Field(discriminator="type")]
Space = dict[str, Range]
_SPACE: TypeAdapter[Space] = TypeAdapter(Space)


def parse_space(content: Any, source: str) -> Space:
    """Check a mapping of parameters to ranges, as in `beta: {type: float, low: 1e-5, high: 0.1}`.

    Raises
    ------
    ConfigError
        Naming `source`, and the first parameter whose range is none.
    """
    try:
        space = _SPACE.validate_python(content)
    except ValidationError as error:
        first = error.errors()[0]
        # The second part is the type that the range was told to have.
        key = ".".join(str(part) for i, part in enumerate(first["loc"]) if i != 1)
        message = first["msg"].removeprefix("Value error, ")
        found = f", found {first['input']!r}" if first["type"] != "value_error" else ""
        raise ConfigError(f"space: {source}: {key}: {message}{found}") from error
    if not space:
        raise ConfigError(f"space: {source}: found no parameter, expected at least one")
    return space
