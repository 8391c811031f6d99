"""What an engine of symbolic regression is: what it is asked, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from latentlaw.errors import ConfigError, nearest_hint

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import sympy
    from numpy.typing import NDArray

BINARY = ("add", "sub", "mul", "div")
UNARY = ("square", "exp", "log", "tanh", "sin", "cos", "abs", "sqrt")


@dataclass(frozen=True)
class Availability:
    """Whether an engine can run here, why or why not, and its version."""

    ok: bool
    reason: str
    version: str = ""


@dataclass(frozen=True)
class SearchSpec:
    """What to search and for how long.

    `generations` bounds the work, so the same seed gives the same result; `time_s` is a cap that
    ends a search early, after which a result depends on the machine's speed. With the `logistic`
    loss the target is 1 or 0 and an expression is the log-odds of 1.

    Raises
    ------
    ConfigError
        If an operator is in neither `BINARY` nor `UNARY`, or none is binary.
    """

    operators: tuple[str, ...] = ("add", "sub", "mul", "square")
    loss: Literal["squared", "logistic"] = "squared"
    max_complexity: int = 30
    generations: int = 60
    population: int = 500
    time_s: float = 60.0
    seed: int = 0
    threads: int = 2

    def __post_init__(self) -> None:
        known = (*BINARY, *UNARY)
        for name in self.operators:
            if name not in known:
                raise ConfigError(
                    f"operators: found {name!r}{nearest_hint(name, known)}, expected some of "
                    f"{', '.join(known)}"
                )
        if not self.binary:
            raise ConfigError(
                f"operators: found no binary one, expected some of {', '.join(BINARY)}"
            )

    @property
    def binary(self) -> tuple[str, ...]:
        """Operators of two operands."""
        return tuple(name for name in self.operators if name in BINARY)

    @property
    def unary(self) -> tuple[str, ...]:
        """Functions of one operand."""
        return tuple(name for name in self.operators if name in UNARY)


@dataclass(frozen=True)
class Found:
    """One expression of a Pareto front, with our node count and the engine's loss."""

    expression: sympy.Expr
    complexity: int
    loss: float


@dataclass(frozen=True)
class Front:
    """A search's Pareto front, and whether the time cap ended it early."""

    found: tuple[Found, ...]
    time_limited: bool = False


class SymbolicEngine(Protocol):
    """Finds expressions of the columns of a matrix that come close to a target."""

    name: str

    def available(self) -> Availability:
        """Say whether the engine can run here; never downloads anything."""
        ...

    def search(
        self,
        latents: NDArray[np.float64],
        target: NDArray[np.float64],
        *,
        names: Sequence[str],
        spec: SearchSpec,
    ) -> Front:
        """Return a Pareto front of fits of `target` `(n,)` by `latents` `(n, d)`."""
        ...
