"""Typed parameters of an entry point: parsed, checked, explained and written as they are typed."""

import os
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

from latentlaw.errors import ConfigError, nearest_hint
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipelines.cli.config import read_config

P = TypeVar("P", bound="Entry")


class Entry(BaseModel):
    """Parameters of an entry point: the one source of MLproject, help text and checks."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, arbitrary_types_allowed=True, allow_inf_nan=False
    )

    seed: int = Field(0, description="seed of all that is random")


def parse(entry: type[P], arguments: list[str]) -> P:
    """Turn `--key value …` into checked parameters.

    `none` stands for nothing, except where it is one of the words that a parameter takes.

    `--config FILE` takes parameters from a file, such as the `config.yaml` of a run; those beside
    it win.

    Raises
    ------
    ConfigError
        Naming the parameter, what was found and what was expected.
    """
    values: dict[str, Any] = {}
    config: dict[str, Any] = {}
    if len(arguments) % 2:
        raise ConfigError(
            f"parameters: found {' '.join(arguments)!r}, expected pairs of --key value"
        )
    for flag, value in zip(arguments[::2], arguments[1::2], strict=True):
        key = flag.removeprefix("--").replace("-", "_")
        if key == "config":
            config = read_config(Path(value))
            continue
        if key in values:
            raise ConfigError(f"parameter {key!r}: found twice, expected once; leave one out")
        values[key] = value
    values = config | values
    for key, value in values.items():
        if isinstance(value, str):
            values[key] = os.path.expanduser(value)  # runs record the home as ~
        if key not in entry.model_fields:
            hint = (
                nearest_hint(key, entry.model_fields)
                or f"; known: {', '.join(entry.model_fields)}"
            )
            raise ConfigError(f"unknown parameter {key!r}{hint}")
        if value == "":  # as an unset variable of a shell gives
            about = entry.model_fields[key].description or "a value"
            raise ConfigError(f"parameter {key!r}: found nothing, expected {about}")
        if value == "none" and "none" not in words_of(entry.model_fields[key].annotation):
            values[key] = None
    return build(entry, values)


def build(entry: type[P], values: dict[str, Any]) -> P:
    """Check values against the entry's parameters.

    Raises
    ------
    ConfigError
        For the first value that does not fit.
    """
    try:
        return entry(**values)
    except ValidationError as error:
        errors = error.errors()
        first, key = errors[0], str(errors[0]["loc"][0])
        field = entry.model_fields.get(key)
        # One for each kind of value that it may be.
        wanted = " or ".join(dict.fromkeys(e["msg"] for e in errors if e["loc"][0] == key))
        found = "" if first["type"] == "missing" else f", found {first['input']!r}"
        hint = ""
        if field is not None:
            words = sorted(map(str, words_of(field.annotation)))
            hint = found and nearest_hint(str(first["input"]), words)
            hint = hint or (f" ({field.description})" if field.description else "")
        raise ConfigError(f"parameter {key!r}: {wanted}{found}{hint}") from error


def usage(entry: type[Entry]) -> str:
    """Help text: the entry's purpose and one line per parameter, with the words that it takes."""
    width = max(map(len, entry.model_fields))
    lines = [(entry.__doc__ or "").strip(), ""]
    lines.append(
        f"  --{'config':<{width}}  file of parameters, as a run's config.yaml (default none)"
    )
    for name, field in entry.model_fields.items():
        default = "required" if field.is_required() else f"default {text_of(field.default)}"
        words = [str(word) for word in words_of(field.annotation)]
        choice = f"{', '.join(words)}; " if words else ""
        lines.append(f"  --{name:<{width}}  {field.description or ''} ({choice}{default})")
    return "\n".join(lines)


def text_of(value: Any) -> str:
    """Write a default the way it is typed on a command line."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return str(value)


def split_commas(value: Any) -> Any:
    """Split `64,192,192` or `a,b` into parts, for tuple-valued parameters."""
    return tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value


def words_of(annotation: Any) -> tuple[Any, ...]:
    """Return the words of a `Literal`, however deep it lies in an annotation, in their order."""
    parts = get_args(annotation)
    if get_origin(annotation) is Literal:
        return parts
    return tuple(dict.fromkeys(word for part in parts for word in words_of(part)))
