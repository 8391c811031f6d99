"""The PySR engine, for machines that have Julia; nothing here imports PySR until it is asked for.

PySR's import starts Julia and would download it, so the probe looks for an executable first and
then tries the import in another process with downloads off. The search path needs Julia and is
not executed by the tests of a machine without it.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from latentlaw.discovery.equations.expressions import complexity, parse, tidy
from latentlaw.discovery.search.engines.engine import Availability, Found, Front, SearchSpec
from latentlaw.errors import DataError, EngineError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

OLDEST_JULIA, FIRST_UNSUPPORTED = (1, 10, 3), (2, 0, 0)
JULIA_NAMES = {"add": "+", "sub": "-", "mul": "*", "div": "/"}
# Cross-entropy of the log-odds z and a label y of 1 or 0, written out: LossFunctions' own margin
# losses want labels of 1 and -1.
LOSSES = {
    "squared": "loss(z, y) = (z - y)^2",
    "logistic": "loss(z, y) = max(z, 0) - y * z + log1p(exp(-abs(z)))",
}
EXECUTABLES = ("PYTHON_JULIACALL_EXE", "PYTHON_JULIAPKG_EXE")  # the first that is set wins
PROBE_SECONDS = 180


class PySREngine:
    """Symbolic regression by PySR; satisfies `SymbolicEngine`."""

    name = "pysr"

    def available(self) -> Availability:
        """Say whether PySR and Julia are installed, without downloading either."""
        if importlib.util.find_spec("pysr") is None:
            return Availability(False, "PySR is not installed: pip install 'latentlaw[pysr]'")
        version = importlib.metadata.version("pysr")
        problem = _check_environment()
        if problem:
            return Availability(False, problem, version)
        julia = find_julia()
        if julia is None:
            return Availability(
                False,
                "no Julia was found: install Julia 1.10.3 or newer and put it on PATH",
                version,
            )
        problem = _check_julia(julia) or _check_import()
        if problem:
            return Availability(False, problem, version)
        return Availability(True, f"PySR with {julia}", version)

    def search(
        self,
        latents: NDArray[np.float64],
        target: NDArray[np.float64],
        *,
        names: Sequence[str],
        spec: SearchSpec,
    ) -> Front:
        """Return PySR's hall of fame for `target` `(n,)` on `latents` `(n, d)`.

        Raises
        ------
        EngineError
            If PySR or Julia fails, or the table of equations is not one of PySR's.
        """
        model = self._regressor(spec)
        try:
            model.fit(latents, target, variable_names=list(names))
        except Exception as error:
            raise EngineError(f"engine: PySR's search failed ({error})") from error
        return read_front(model.equations_.to_dict("records"), names, spec.max_complexity)

    def _regressor(self, spec: SearchSpec) -> Any:
        try:
            import pysr
        except Exception as error:  # juliacall raises bare exceptions where Julia is missing
            raise EngineError(f"engine: PySR cannot be imported ({error})") from error
        return pysr.PySRRegressor(**regressor_options(spec))


def regressor_options(spec: SearchSpec) -> dict[str, Any]:
    """Return the keyword arguments of `PySRRegressor` for a search.

    Serial and deterministic, so that the seed decides; iterations follow `spec.generations`.
    """
    return {
        "binary_operators": [JULIA_NAMES[name] for name in spec.binary],
        "unary_operators": list(spec.unary),
        "elementwise_loss": LOSSES[spec.loss],
        "maxsize": max(7, spec.max_complexity),
        "niterations": max(1, spec.generations),
        "populations": 8,
        "timeout_in_seconds": max(1, int(spec.time_s)),
        "random_state": spec.seed,
        "deterministic": True,
        "parallelism": "serial",
        "model_selection": "best",
        "temp_equation_file": True,
        "delete_tempfiles": True,
        "verbosity": 0,
        "progress": False,
    }


def read_front(records: Sequence[dict[str, Any]], names: Sequence[str], largest: int) -> Front:
    """Return the front in PySR's table of `complexity, loss, equation` rows.

    Raises
    ------
    EngineError
        If no row can be read.
    """
    found, problem = [], "the table is empty"
    for row in records:
        try:
            expression = tidy(parse(str(row["equation"]), names))
        except DataError as error:
            problem = str(error)
            continue
        size = complexity(expression)
        if size <= largest:
            found.append(Found(expression, size, float(row["loss"])))
    if not found:
        raise EngineError(f"engine: found no usable equation of PySR's ({problem})")
    return Front(tuple(found))


def find_julia() -> str | None:
    """Return a Julia executable where PySR would look for one, or None."""
    for variable in EXECUTABLES:
        named = os.environ.get(variable)
        if named:
            return named if os.access(named, os.X_OK) else None
    inside = os.path.join(sys.prefix, "julia_env", "pyjuliapkg", "install", "bin", "julia")
    return inside if os.access(inside, os.X_OK) else shutil.which("julia")


def _check_environment() -> str:
    """Say what is wrong with the variables that name Julia and its project, if anything is."""
    executable = os.environ.get("PYTHON_JULIACALL_EXE")
    project = os.environ.get("PYTHON_JULIACALL_PROJECT")
    if bool(executable) != bool(project):
        return (
            "PYTHON_JULIACALL_EXE and PYTHON_JULIACALL_PROJECT must be set together or not at all"
        )
    if project and not os.path.isdir(project):
        return f"PYTHON_JULIACALL_PROJECT={project} is not a folder"
    for variable in EXECUTABLES:
        named = os.environ.get(variable)
        if named and not os.access(named, os.X_OK):
            return f"{variable}={named} is not an executable file"
    return ""


def _check_julia(julia: str) -> str:
    try:
        answer = subprocess.run(  # noqa: S603 - the user's own Julia
            [julia, "--version"], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{julia} does not run: {error}"
    found = re.search(r"julia version (\d+)\.(\d+)\.(\d+)", answer.stdout)
    if not found:
        return f"{julia} is not a Julia executable"
    version = tuple(int(part) for part in found.groups())
    if not OLDEST_JULIA <= version < FIRST_UNSUPPORTED:
        return f"{julia} is Julia {'.'.join(found.groups())}, expected 1.10.3 or newer, below 2"
    return ""


def _check_import() -> str:
    try:
        answer = subprocess.run(
            [sys.executable, "-c", "import pysr"],
            capture_output=True,
            text=True,
            timeout=PROBE_SECONDS,
            check=False,
            env={**os.environ, "PYTHON_JULIAPKG_OFFLINE": "yes"},
        )
    except subprocess.TimeoutExpired:
        return f"importing PySR took more than {PROBE_SECONDS} s"
    if answer.returncode == 0:
        return ""
    last = (answer.stderr.strip().splitlines() or ["no message"])[-1]
    return f"PySR cannot start Julia: {last[:200]}"
