"""Whether the search for equations finds a planted law: 8 latents, 2 or 3 of them in the law.

`python -m tests.benchmarks.planted_laws [SEEDS [LAW …]]` plants each law in `N(0, 1)` latents of
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
from typing import TYPE_CHECKING

import numpy as np
import sympy
from latentlaw.discovery.equations.canonical import canonical_form, same_law
from latentlaw.discovery.equations.compiling import compile_program
from latentlaw.discovery.equations.expressions import complexity, parse, to_text
from latentlaw.discovery.latents import LatentData, LatentSplit, check_latents
from latentlaw.discovery.search.engines.operon import OperonEngine
from latentlaw.discovery.search.equation_search import EquationSearch

if TYPE_CHECKING:
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
        return same_law(found, law, TOLERANCE[kind])
    ours, true = canonical_form(_unit_scale(found)), canonical_form(_unit_scale(law))
    return ours.structure == true.structure and all(
        abs(a - b) <= TOLERANCE[kind] * max(1.0, abs(b))
        for a, b in zip(ours.constants, true.constants, strict=True)
    )


def _unit_scale(law: sympy.Expr) -> sympy.Expr:
    z = np.random.default_rng(0).normal(size=(10_000, len(NAMES)))
    return sympy.expand(law / sympy.Float(log_odds(law, z).std() or 1.0))


def main(seeds: int = 10, *names: str) -> None:
    """Print how often each law is found."""
    print("| law | kind | chosen | on the front | seconds, most | cut | nodes | chosen instead |")
    print("|---|---|---|---|---|---|---|---|")
    for planted in (law for law in LAWS if law.name in names or not names):
        for kind in ("logits", "labels"):
            row = _row(planted, kind, seeds)
            print(row, flush=True)


def _row(planted: Planted, kind: str, seeds: int) -> str:
    law, hits, near, cut, times, sizes, missed = planted.law, 0, 0, 0, [], [], []
    for seed in range(seeds):
        data = plant(law, seed)
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
        found = search.find(NoisyLaw(law, seed), BUDGET_S, lambda _step, _share: None)
        times.append(time.monotonic() - started)
        cut += found.time_limited
        chosen = found.chosen.heads[0]
        print(f"{seed}: {to_text(chosen)}", file=sys.stderr, flush=True)
        sizes.append(complexity(chosen))
        near += any(is_found(m.heads[0], law, kind) for m in found.models)
        if is_found(chosen, law, kind):
            hits += 1
        else:
            missed.append(to_text(chosen))
    others = "; ".join(f"`{text}`" for text in missed[:2])
    return (
        f"| {planted.name}: `{planted.text}` | {kind} | {hits} of {seeds} | {near} | "
        f"{max(times):.1f} | {cut} | {np.median(sizes):g} | {others} |"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10, *sys.argv[2:])
