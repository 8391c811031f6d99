"""Which engine can run here; importing this imports none: PySR would look for Julia, or get it."""

from typing import Literal

from latentlaw.discovery.search.engines.engine import SymbolicEngine
from latentlaw.errors import ConfigError, EngineError, nearest_hint

EngineName = Literal["auto", "operon", "pysr"]
ENGINES = ("auto", "operon", "pysr")


def make_engine(name: str) -> SymbolicEngine:
    """Return the engine called `name` without checking that it can run.

    Raises
    ------
    ConfigError
        If there is no engine of that name.
    """
    if name == "operon":
        from latentlaw.discovery.search.engines.operon import OperonEngine

        return OperonEngine()
    if name == "pysr":
        from latentlaw.discovery.search.engines.pysr import PySREngine

        return PySREngine()
    raise ConfigError(
        f"engine: found {name!r}{nearest_hint(name, ENGINES)}, expected one of "
        f"{', '.join(ENGINES)}"
    )


def select_engine(name: str = "auto") -> tuple[SymbolicEngine, str]:
    """Return the engine to use and the reason for the choice.

    `auto` takes PySR if it can run here, else Operon. An engine that is asked for by name is
    never replaced by another.

    Raises
    ------
    ConfigError
        If the name is unknown.
    EngineError
        If the engine cannot run on this machine.
    """
    if name != "auto":
        engine = make_engine(name)
        found = engine.available()
        if not found.ok:
            raise EngineError(
                f"engine: {name} cannot run here ({found.reason}); use engine=auto, which takes "
                "one that can"
            )
        return engine, f"{name} {found.version} was asked for".replace("  ", " ")
    pysr = make_engine("pysr")
    found = pysr.available()
    if found.ok:
        return pysr, f"auto: PySR {found.version} and Julia are here"
    operon = make_engine("operon")
    fallback = operon.available()
    if not fallback.ok:
        raise EngineError(
            f"engine: none can run here (PySR: {found.reason}; Operon: {fallback.reason})"
        )
    return operon, f"auto: Operon {fallback.version}, because PySR cannot run ({found.reason})"
