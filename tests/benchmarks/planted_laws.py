"""Whether the search for equations finds a planted law: 8 latents, 2 or 3 of them in the law.

`python -m tests.results planted_laws` plants each law in `N(0, 1)` latents of
1,000 particles (600 to train, 200 to validate) and searches for 10 s with one thread:

* logits: the law's log-odds with noise of 5 % of their standard deviation are the teacher's, and
  the equations are distilled from them;
* labels: the law's sign, 5 % of them flipped; the equations are fitted to them. Labels like these
  tell where the law is zero and not how large it is, so it is compared up to one positive factor,
  and what bends its values alone (tanh, exp) cannot be told from them.

A model is the law if it is equal to it up to algebra, and every constant `c` within 5 % (logits),
or within 0.2 max(1, |c|) of a law of standard deviation 1 (labels). `cut` counts the searches that
the clock ended early, whose result another run may not repeat.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
import sympy
from latentlaw.discovery.equations.canonical import canonical_form
from latentlaw.discovery.equations.compiling import compile_program
from latentlaw.discovery.equations.expressions import complexity, parse, to_text
from latentlaw.discovery.latents import LatentData, LatentSplit, check_latents
from latentlaw.discovery.search.engines.operon import OperonEngine
from latentlaw.discovery.search.equation_search import EquationSearch

from tests.results.records import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

NAMES = tuple(f"z{i}" for i in range(8))
BUDGET_S = 10.0
MOST_NODES = 30
NOISE = 0.05
TOLERANCE = {"logits": 0.05, "labels": 0.2}
POLYNOMIAL = ("add", "sub", "mul", "square")


@dataclass(frozen=True)
class Planted:
    """A law of the latents and the operators that a search for it may use."""

    name: str
    text: str
    operators: tuple[str, ...] = POLYNOMIAL

    @property
    def law(self) -> sympy.Expr:
        """The log-odds of the second class."""
        return parse(self.text, NAMES)


LAWS = (
    Planted("linear", "2.0*z0 - 1.5*z3 + 0.8*z5 + 0.5"),
    Planted("product and square", "2.9*z0*z1 - 1.1*z2**2 + 0.5"),
    Planted("ratio", "6.0*z0/(1.0 + z1**2) - 1.5*z2", (*POLYNOMIAL, "div")),
    Planted("tanh", "4.0*tanh(1.5*z0) - 2.0*z1", (*POLYNOMIAL, "tanh")),
    Planted("exp", "2.0*exp(0.7*z0) - 1.5*z1 - 2.0", (*POLYNOMIAL, "exp")),
)


@dataclass(frozen=True)
class NoisyLaw:
    """A teacher that knows the law but for noise."""

    law: sympy.Expr
    seed: int

    def logits(self, latents: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return logits `(n, 2)` of latents `(n, 8)`."""
        f = log_odds(self.law, latents)
        f = f + NOISE * f.std() * np.random.default_rng(self.seed).normal(size=len(f))
        return np.stack([-f / 2, f / 2], axis=1)


def log_odds(law: sympy.Expr, latents: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the law's values `(n,)`."""
    return compile_program(law, NAMES).numpy(list(np.asarray(latents, dtype=np.float64).T))


def plant(law: sympy.Expr, seed: int, rows: int = 1000) -> LatentData:
    """Return latents and labels by the law's sign, 5 % of the labels flipped."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(rows, len(NAMES))).astype(np.float32)
    labels = (log_odds(law, z) > 0).astype(np.int64)
    labels = np.where(rng.random(rows) < NOISE, 1 - labels, labels)
    a, b = int(0.6 * rows), int(0.8 * rows)
    parts = [LatentSplit(z[s], labels[s]) for s in (slice(a), slice(a, b), slice(b, None))]
    return LatentData(parts[0], parts[1], parts[2], ("no", "yes"), NAMES)


def is_found(found: sympy.Expr, law: sympy.Expr, kind: str) -> bool:
    """Say whether the two are one law, for labels up to a positive factor."""
    if kind == "logits":
        return canonical_form(found).matches(canonical_form(law), TOLERANCE[kind])
    ours, true = canonical_form(_unit_scale(found)), canonical_form(_unit_scale(law))
    return ours.structure == true.structure and all(
        abs(a - b) <= TOLERANCE[kind] * max(1.0, abs(b))
        for a, b in zip(ours.constants, true.constants, strict=True)
    )


def _unit_scale(law: sympy.Expr) -> sympy.Expr:
    z = np.random.default_rng(0).normal(size=(10_000, len(NAMES)))
    return sympy.expand(law / sympy.Float(log_odds(law, z).std() or 1.0))


def measure(seeds: int = 10) -> Iterator[Row]:
    """Yield how often each law is found, with a column a number."""
    for planted in LAWS:
        for kind in ("logits", "labels"):
            for column, value in _searched(planted, kind, seeds).items():
                asked = 0.9 * seeds if column == "chosen" and kind == "logits" else None
                law = f"{planted.name}: `{planted.text}`, from {kind}"
                yield Row(law, value, column=column, at_least=asked, table=f"of {seeds} searches")


def _searched(planted: Planted, kind: str, seeds: int) -> dict[str, float]:
    hits, near, cut, times, sizes = 0, 0, 0, [], []
    for seed in range(seeds):
        data = plant(planted.law, seed)
        scaling, _ = check_latents(data)
        search = EquationSearch(
            data,
            scaling,
            OperonEngine(),
            MOST_NODES,
            seed,
            1,
            targets="distil" if kind == "logits" else "labels",
            operators=planted.operators,
        )
        started = time.monotonic()
        found = search.find(NoisyLaw(planted.law, seed), BUDGET_S, lambda _step, _share: None)
        times.append(time.monotonic() - started)
        cut += found.time_limited
        chosen = found.chosen.heads[0]
        print(f"{planted.name}, {kind}, {seed}: {to_text(chosen)}", file=sys.stderr, flush=True)
        sizes.append(complexity(chosen))
        near += any(is_found(m.heads[0], planted.law, kind) for m in found.models)
        hits += is_found(chosen, planted.law, kind)
    return {
        "chosen": hits,
        "on the frontier": near,
        "cut by the clock": cut,
        "nodes, median": median(sizes),
        "seconds, most": max(times),
    }
