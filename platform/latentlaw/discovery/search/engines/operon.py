"""The Operon engine (pyoperon): NSGA-II over fit and length, native code, no Julia.

Operon works in single precision and puts a weight on every variable, so its trees are rebuilt in
SymPy, where constants merge, and counted by the platform's own rule.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import math
import time
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy

from latentlaw.discovery.equations.expressions import complexity, is_readable, symbol, tidy
from latentlaw.discovery.search.engines.engine import Availability, Found, Front, SearchSpec
from latentlaw.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

OPERATORS: dict[str, Callable[..., Any]] = {
    "Add": lambda *a: sympy.Add(*a),
    "Mul": lambda *a: sympy.Mul(*a),
    "Sub": lambda first, *rest: -first if not rest else first - sympy.Add(*rest),
    "Div": lambda first, *rest: 1 / first if not rest else first / sympy.Mul(*rest),
    "Square": lambda a: a**2,
    "Exp": sympy.exp,
    "Log": sympy.log,
    "Tanh": sympy.tanh,
    "Sin": sympy.sin,
    "Cos": sympy.cos,
    "Abs": sympy.Abs,
    "Sqrt": sympy.sqrt,
}
TUNED_SHARE = 0.3  # of the offspring have their constants fitted; more costs generations


class OperonEngine:
    """Symbolic regression by pyoperon's NSGA-II; satisfies `SymbolicEngine`."""

    name = "operon"

    def available(self) -> Availability:
        """Say whether pyoperon is installed and this processor can run its wheel."""
        if importlib.util.find_spec("pyoperon") is None:
            return Availability(False, "pyoperon is not installed: pip install pyoperon==0.6.2")
        if not _has_avx2():
            return Availability(False, "pyoperon's wheel needs a processor with AVX2")
        version = importlib.metadata.version("pyoperon")
        return Availability(True, "pyoperon is installed", version)

    def search(
        self,
        latents: NDArray[np.float64],
        target: NDArray[np.float64],
        *,
        names: Sequence[str],
        spec: SearchSpec,
    ) -> Front:
        """Return the Pareto front of `target` `(n,)` on `latents` `(n, d)`; see the protocol.

        The same seed gives the same front for any number of threads, unless `spec.time_s` ends
        the search early. Operon has no logistic loss: labels of 1 and 0 are fitted as log-odds of
        1 and -1 by least squares, and constants are left to be refitted.

        Raises
        ------
        EngineError
            If Operon fails.
        """
        if spec.loss == "logistic":
            target = 2.0 * target - 1.0
        model = _regressor(spec)
        started = time.monotonic()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                model.fit(latents, target)
            except (ValueError, RuntimeError) as error:
                raise EngineError(f"engine: Operon's search failed ({error})") from error
        elapsed = time.monotonic() - started
        found = []
        for entry in model.pareto_front_:
            expression = tidy(to_sympy(entry["tree"], model.variables_, names))
            loss = float(entry["mean_squared_error"])
            size = complexity(expression)
            if math.isfinite(loss) and is_readable(expression) and size <= spec.max_complexity:
                found.append(Found(expression, size, loss))
        unfinished = int(model.stats_["generations"]) < spec.generations  # or a perfect fit
        return Front(tuple(found), unfinished and elapsed >= 0.9 * model.max_time)


def to_sympy(tree: Any, variables: dict[int, str], names: Sequence[str]) -> sympy.Expr:
    """Return an Operon tree (postfix nodes, first child last) as an expression of `names`.

    Raises
    ------
    EngineError
        If the tree holds an operator that none was asked for.
    """
    index = {key: i for i, key in enumerate(variables)}
    stack: list[sympy.Expr] = []
    for node in tree.Nodes:
        if node.IsVariable:
            weight = float(node.Value)
            leaf = symbol(names[index[node.HashValue]])
            stack.append(leaf if weight == 1.0 else sympy.Float(weight) * leaf)
        elif node.IsConstant:
            stack.append(sympy.Float(float(node.Value)))
        else:
            kind = str(node.Type).rsplit(".", 1)[-1]
            if kind not in OPERATORS:
                raise EngineError(
                    f"engine: found Operon's operator {kind}, expected one that was asked for"
                )
            stack.append(OPERATORS[kind](*[stack.pop() for _ in range(node.Arity)]))
    return stack.pop()


def _regressor(spec: SearchSpec) -> Any:
    from pyoperon.sklearn import SymbolicRegressor

    return SymbolicRegressor(
        allowed_symbols=",".join((*spec.operators, "constant", "variable")),
        objectives=["r2", "length"],
        optimizer_iterations=3,
        local_search_probability=TUNED_SHARE,
        max_length=max(3, spec.max_complexity),
        max_depth=8,
        initialization_max_length=max(3, min(10, spec.max_complexity)),
        population_size=spec.population,
        generations=spec.generations,
        max_evaluations=10**9,
        epsilon=1e-9,
        n_threads=spec.threads,
        max_time=max(1, round(spec.time_s)),
        random_state=int(np.random.default_rng(spec.seed).integers(2**31)),
    )


def _has_avx2() -> bool:
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="ignore") as lines:
            flags = [line for line in lines if line.startswith("flags")]
    except OSError:
        return True  # not Linux: the wheel's own platform tag decides
    return not flags or " avx2" in flags[0]
