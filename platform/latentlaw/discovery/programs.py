"""Evaluate an expression on numpy arrays or torch tensors without generating code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy

from latentlaw.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import torch
    from numpy.typing import NDArray

LIMIT = 1e6
NAMES: dict[Any, str] = {
    sympy.exp: "exp",
    sympy.log: "log",
    sympy.tanh: "tanh",
    sympy.sin: "sin",
    sympy.cos: "cos",
    sympy.Abs: "abs",
    sympy.sign: "sign",
}
Step = tuple[str, Any]


@dataclass(frozen=True)
class Program:
    """An expression as postfix steps: what to push or which operator to apply to the stack."""

    steps: tuple[Step, ...]

    def numpy(self, columns: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
        """Return raw values `(n,)` for the variables' `columns`, each `(n,)`; NaN is kept."""
        with np.errstate(all="ignore"):
            values = np.asarray(self._run(columns, np), dtype=np.float64)
        return np.broadcast_to(values, np.shape(columns[0])).copy()

    def torch(self, latents: torch.Tensor) -> torch.Tensor:
        """Return raw differentiable values `(n,)` of `latents` `(n, d)`."""
        import torch

        values = self._run(latents.unbind(dim=-1), torch)
        if not isinstance(values, torch.Tensor):
            values = torch.as_tensor(values, dtype=latents.dtype, device=latents.device)
        return values.expand(latents.shape[0])

    def _run(self, columns: Sequence[Any], backend: Any) -> Any:
        stack: list[Any] = []
        for kind, argument in self.steps:
            if kind == "number":
                stack.append(argument)
            elif kind == "variable":
                stack.append(columns[argument])
            elif kind in ("add", "mul"):
                parts = [stack.pop() for _ in range(argument)]
                total = parts[-1]
                for part in reversed(parts[:-1]):
                    total = total + part if kind == "add" else total * part
                stack.append(total)
            elif kind == "pow":
                base = stack.pop()
                stack.append(base * base if argument == 2 else base**argument)
            else:
                stack.append(getattr(backend, kind)(stack.pop()))
        return stack.pop()


def compile_program(expression: sympy.Expr, names: Sequence[str]) -> Program:
    """Return the program of `expression`, whose variable `i` is `names[i]`.

    Raises
    ------
    DataError
        If the expression holds a function or symbol that the program cannot evaluate.
    """
    steps: list[Step] = []
    index = {name: i for i, name in enumerate(names)}
    _emit(expression, index, steps.append)
    return Program(tuple(steps))


def _emit(node: sympy.Expr, index: dict[str, int], push: Callable[[Step], None]) -> None:
    if node.is_Symbol and node.name in index:
        push(("variable", index[node.name]))
    elif node.is_number:
        push(("number", float(node)))
    elif node.is_Add or node.is_Mul:
        for part in node.args:
            _emit(part, index, push)
        push(("add" if node.is_Add else "mul", len(node.args)))
    elif node.is_Pow and node.exp.is_number:
        _emit(node.base, index, push)
        push(("pow", int(node.exp) if node.exp.is_Integer else float(node.exp)))
    elif node.func in NAMES:
        _emit(node.args[0], index, push)
        push((NAMES[node.func], None))
    else:
        raise DataError(f"the expression part {node} cannot be evaluated")


def bounded(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Return values clipped to `+-LIMIT` with NaN as 0 (no evidence), and the NaN share."""
    undefined = np.isnan(values)
    safe = np.clip(np.where(undefined, 0.0, values), -LIMIT, LIMIT)
    return safe, float(undefined.mean()) if undefined.size else 0.0


def bounded_torch(values: torch.Tensor) -> torch.Tensor:
    """Return what `bounded` does, differentiable."""
    import torch

    return torch.nan_to_num(values, nan=0.0, posinf=LIMIT, neginf=-LIMIT).clamp(-LIMIT, LIMIT)
