"""Write MLproject from the parameters of the entry points: `python -m pipelines.cli.mlproject`."""

import importlib
import types
import typing

import yaml

from pipelines.cli.parameters import Entry, text_of

#: Entry points in the order of the work.
ENTRIES = (
    "main",
    "simulate",
    "ingest",
    "validate",
    "extract",
    "collect",
    "affinity",
    "train",
    "evaluate",
    "compare",
    "ladder",
    "discover",
    "explain",
    "tune",
    "register",
    "rollback",
    "predict",
    "serve",
    "export",
    "doctor",
    "dashboard",
)
_HEADER = "# Made by `make mlproject` from the parameters in pipelines/; edit those.\n"


def entry_class(name: str) -> type[Entry]:
    """Return the parameters of an entry point."""
    module = importlib.import_module(f"pipelines.{name}")
    found: type[Entry] = getattr(module, name.capitalize())
    return found


def mlproject() -> str:
    """Return the text of MLproject."""
    entries = {}
    for name in ENTRIES:
        fields = entry_class(name).model_fields
        parameters = {}
        for key, field in fields.items():
            parameter = {"type": _type(field.annotation)}
            if not field.is_required():
                parameter["default"] = text_of(field.default)
            parameters[key] = parameter
        flags = " ".join(f"--{key} {{{key}}}" for key in fields)
        entries[name] = {
            "parameters": parameters,
            "command": f"PYTHONPATH=platform python -m pipelines.{name} {flags}",
        }
    project = {"name": "latentlaw", "conda_env": "conda.yaml", "entry_points": entries}
    return _HEADER + yaml.safe_dump(project, sort_keys=False, width=10_000)


def _type(annotation: object) -> str:
    """MLflow's type of a parameter; those that may be words as well are strings."""
    if typing.get_origin(annotation) in (types.UnionType, typing.Union):
        return "string"
    return "float" if annotation in (int, float) else "string"


if __name__ == "__main__":
    print(mlproject(), end="")
