"""What runs are looked for, and the conditions that it comes to."""

import math
import re
from dataclasses import dataclass
from typing import Literal, NamedTuple

from latentlaw.tracking.names import (
    TAG_DATA_DIGEST,
    TAG_MODEL_FAMILY,
    TAG_PARENT,
    TAG_RESUME,
    TAG_STAGE,
)
from latentlaw.tracking.reading.queries import PREEMPTED

_HEX = re.compile(r"[0-9a-f]{6,64}")
_STOPPED = ("FINISHED", "RUNNING", "SCHEDULED")


class Condition(NamedTuple):
    """What a run must meet; several are joined by *and*. Null tests have no value."""

    kind: Literal["attributes", "tags", "metrics", "datasets"]
    key: str
    operator: Literal["=", "!=", "ILIKE", "<=", ">=", "IS NULL", "IS NOT NULL"]
    value: str | float = ""


class Order(NamedTuple):
    """What runs are sorted by; runs without it come last, and equals from new to old."""

    kind: Literal["attributes", "metrics"] = "attributes"
    key: str = "start_time"
    ascending: bool = False


NEWEST_FIRST = Order()


@dataclass(frozen=True)
class RunQuery:
    """What runs to find; an empty field asks for nothing.

    Attributes
    ----------
    text
        Part of a run's name, or the start of its id.
    stage, family
        As tagged.
    data
        Part of the name of a particle stack, or the start of its digest.
    status
        As MLflow says it, or `PREEMPTED`.
    tag
        `key` or `key=part of value`.
    metric, at_least, at_most
        Bounds of a metric's last value.
    experiment
        Name; without it every experiment, and of these only runs that carry a stage.
    top_level
        Only runs that are no step of another one.
    """

    text: str = ""
    stage: str = ""
    family: str = ""
    data: str = ""
    status: str = ""
    tag: str = ""
    metric: str = ""
    at_least: float | None = None
    at_most: float | None = None
    experiment: str = ""
    top_level: bool = False
    order: Order = NEWEST_FIRST


def conditions(query: RunQuery) -> list[Condition]:
    """Spell a query out."""
    made: list[Condition] = []
    if text := query.text.strip():
        made.append(_text(text))
    if query.stage:
        made.append(Condition("tags", TAG_STAGE, "=", query.stage))
    elif not query.experiment:
        made.append(Condition("tags", TAG_STAGE, "IS NOT NULL"))
    if query.family:
        made.append(Condition("tags", TAG_MODEL_FAMILY, "=", query.family))
    if data := query.data.strip():
        made.append(_data(data))
    if query.status:
        made += _status(query.status)
    if query.tag.strip():
        key, given, value = (part.strip() for part in query.tag.partition("="))
        if given:
            made.append(Condition("tags", key, "ILIKE", f"%{value}%"))
        else:
            made.append(Condition("tags", key, "IS NOT NULL"))
    if query.top_level:
        made.append(Condition("tags", TAG_PARENT, "IS NULL"))
    if query.metric:
        if query.at_least is not None and math.isfinite(query.at_least):
            made.append(Condition("metrics", query.metric, ">=", query.at_least))
        if query.at_most is not None and math.isfinite(query.at_most):
            made.append(Condition("metrics", query.metric, "<=", query.at_most))
    return made


def _text(text: str) -> Condition:
    if _HEX.fullmatch(text.lower()):
        return Condition("attributes", "run_id", "ILIKE", f"{text.lower()}%")
    return Condition("attributes", "run_name", "ILIKE", f"%{text}%")


def _data(data: str) -> Condition:
    if _HEX.fullmatch(data.lower()):
        return Condition("tags", TAG_DATA_DIGEST, "ILIKE", f"{data.lower()}%")
    return Condition("datasets", "name", "ILIKE", f"%{data}%")


def _status(status: str) -> list[Condition]:
    """Ask for a status; one that can go on is told by its tag, and does not count as the other."""
    if status == PREEMPTED:
        ended = [Condition("attributes", "status", "!=", other) for other in _STOPPED]
        return [Condition("tags", TAG_RESUME, "IS NOT NULL"), *ended]
    made = [Condition("attributes", "status", "=", status)]
    if status not in _STOPPED:
        made.append(Condition("tags", TAG_RESUME, "IS NULL"))
    return made
