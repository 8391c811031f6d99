"""Evaluate an expression on numpy arrays or torch tensors without generating code.

A program is what `compiling.py` makes of a SymPy expression. It needs numpy alone, so that a
stored law answers without SymPy and torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from latentlaw.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from numpy.typing import NDArray

LIMIT = 1e6
#: Functions of one number, each by the name that numpy, torch and a stored step know it by.
FUNCTIONS = frozenset({"exp", "log", "tanh", "sin", "cos", "abs", "sign"})


class Step(NamedTuple):
    """One operation on the results of earlier steps, whose positions are `operands`.

    `argument` is the value of a `number`, the index of a `variable`, or the exponent of a `pow`.
    """

    kind: str
    argument: Any = None
    operands: tuple[int, ...] = ()


@dataclass(frozen=True)
class Program:
    """An expression as steps in the order of evaluation; the last gives the value."""

    steps: tuple[Step, ...]

    def numpy(self, columns: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
        """Return raw values `(n,)` for the variables' `columns`, each `(n,)`; NaN is kept."""
        with np.errstate(all="ignore"):
            values = np.asarray(self._run(columns, np)[-1], dtype=np.float64)
        return np.broadcast_to(values, np.shape(columns[0])).copy()

    def terms(self, columns: Sequence[NDArray[np.float64]]) -> list[NDArray[np.float64]]:
        """Return raw values `(n,)` of the terms of which the value is the sum, in its order.

        An expression that is no sum is its only term.
        """
        with np.errstate(all="ignore"):
            values = self._run(columns, np)
        last = self.steps[-1]
        places = last.operands if last.kind == "add" else (len(self.steps) - 1,)
        return [
            np.broadcast_to(np.asarray(values[i], float), np.shape(columns[0])) for i in places
        ]

    def to_list(self) -> list[list[Any]]:
        """Return plain lists that `from_list` reads: kind, argument, operands of each step."""
        return [[step.kind, step.argument, list(step.operands)] for step in self.steps]

    @classmethod
    def from_list(cls, rows: Any, variables: int) -> Program:
        """Return the program that `to_list` wrote, of `variables` latents.

        Raises
        ------
        DataError
            If a step is not arithmetic of numbers, latents and the results of earlier steps.
        """
        if not isinstance(rows, list) or not rows:
            raise DataError(f"program: found {str(rows)[:60]}, expected a list of steps")
        steps = []
        for i, row in enumerate(rows):
            if not _is_step(row, i, variables):
                raise DataError(
                    f"program: step {i}: found {str(row)[:60]}, expected a kind, its argument "
                    "and the numbers of earlier steps; fetch the model again"
                )
            steps.append(Step(row[0], row[1], tuple(row[2])))
        return cls(tuple(steps))

    def torch(self, latents: torch.Tensor) -> torch.Tensor:
        """Return raw differentiable values `(n,)` of `latents` `(n, d)`."""
        import torch

        values = self._run(latents.unbind(dim=-1), torch)[-1]
        if not isinstance(values, torch.Tensor):
            values = torch.as_tensor(values, dtype=latents.dtype, device=latents.device)
        return values.expand(latents.shape[0])

    def jacobian(
        self, columns: Sequence[Any], wanted: Sequence[int]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return raw values `(n,)` and their derivatives `(m, n)` by the `wanted` variables.

        One sweep forward and one back (reverse-mode differentiation), whatever `m` is: particles
        do not mix, so the adjoint of a variable that all share is its derivative per particle.

        Parameters
        ----------
        columns
            A value for each variable: `(n,)`, or a number that all particles share.
        wanted
            Indices of variables.
        """
        size = np.shape(columns[0])
        with np.errstate(all="ignore"):
            values = self._run(columns, np)
            adjoints: list[Any] = [0.0] * len(values)
            adjoints[-1] = np.ones(size)
            found: dict[int, Any] = {}
            for i in range(len(values) - 1, -1, -1):
                step = self.steps[i]
                if step.kind == "variable":
                    found[step.argument] = found.get(step.argument, 0.0) + adjoints[i]
                if step.operands:
                    slopes = _slopes(step, [values[j] for j in step.operands], values[i])
                    for j, slope in zip(step.operands, slopes, strict=True):
                        adjoints[j] = adjoints[j] + adjoints[i] * slope
        value = np.broadcast_to(np.asarray(values[-1], dtype=np.float64), size).copy()
        result = np.empty((len(wanted), *size))
        for row, variable in enumerate(wanted):
            result[row] = found.get(variable, 0.0)
        return value, result

    def _run(self, columns: Sequence[Any], backend: Any) -> list[Any]:
        values: list[Any] = []
        for step in self.steps:
            values.append(_apply(step, [values[j] for j in step.operands], columns, backend))
        return values


def _is_step(row: Any, place: int, variables: int) -> bool:
    """Say whether a row is a step at `place` that can be evaluated, and no other code."""
    match row:
        case ["number", bool(), []]:
            return False
        case ["number", int() | float(), []]:
            return True
        case ["variable", int(index), []]:
            return not isinstance(index, bool) and 0 <= index < variables
        case [str(kind), argument, [_, *_] as operands]:
            if not all(type(j) is int and 0 <= j < place for j in operands):
                return False
            if kind in ("add", "mul"):
                return argument is None
            if kind == "pow":
                return type(argument) in (int, float) and len(operands) == 1
            return kind in FUNCTIONS and argument is None and len(operands) == 1
    return False


def _apply(step: Step, parts: list[Any], columns: Sequence[Any], backend: Any) -> Any:
    if step.kind == "number":
        return step.argument
    if step.kind == "variable":
        return columns[step.argument]
    if step.kind in ("add", "mul"):
        total = parts[0]
        for part in parts[1:]:
            total = total + part if step.kind == "add" else total * part
        return total
    if step.kind == "pow":
        (base,) = parts
        return base * base if step.argument == 2 else base**step.argument
    return getattr(backend, step.kind)(parts[0])


def _slopes(step: Step, parts: list[Any], value: Any) -> list[Any]:
    """Return the derivative of a step's value by each of its operands."""
    x = parts[0]
    match step.kind:
        case "add":
            return [1.0] * len(parts)
        case "mul":
            before, after = [1.0], [1.0]
            for part, back in zip(parts[:-1], parts[:0:-1], strict=True):
                before.append(before[-1] * part)
                after.append(after[-1] * back)
            return [b * a for b, a in zip(before, reversed(after), strict=True)]
        case "pow":
            return [step.argument * (x if step.argument == 2 else x ** (step.argument - 1))]
        case "exp":
            return [value]
        case "log":
            return [1 / x]
        case "tanh":
            return [1 - value * value]
        case "sin":
            return [np.cos(x)]
        case "cos":
            return [-np.sin(x)]
        case "abs":
            return [np.sign(x)]
    return [0.0]  # sign


def bounded(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Return values of any shape clipped to `+-LIMIT`, and the share of them that is NaN.

    NaN becomes 0: no evidence for the class or against it.
    """
    undefined = np.isnan(values)
    safe = np.clip(np.where(undefined, 0.0, values), -LIMIT, LIMIT)
    return safe, float(undefined.mean()) if undefined.size else 0.0


def bounded_torch(values: torch.Tensor) -> torch.Tensor:
    """Return the values of `bounded`, of the same shape, differentiably."""
    import torch

    return torch.nan_to_num(values, nan=0.0, posinf=LIMIT, neginf=-LIMIT).clamp(-LIMIT, LIMIT)
