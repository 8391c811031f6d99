"""What pages call runs, how long they took, and a lineage as text that Graphviz reads."""

import numpy as np
import pandas as pd
import pytest
from latentlaw.tracking.reading.lineage import Lineage, Node
from latentlaw.tracking.reading.queries import PREEMPTED

from dashboards.charts.lineage import lineage_dot, node_link
from dashboards.panels.run_filters import ORDERS, pages
from dashboards.panels.run_table import duration, run_table
from dashboards.wording import labels, words


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.04, "0.0 s"), (42.3, "42 s"), (59.7, "1 min 00 s"), (7300, "2 h 01 min"), (np.nan, "")],
)
def test_seconds_as_people_say_them(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def _runs(**columns: list[str]) -> pd.DataFrame:
    size = len(next(iter(columns.values())))
    usual = {
        "run_id": [f"{i:032x}" for i in range(size)],
        "name": ["evaluate"] * size,
        "stage": ["evaluate"] * size,
        "family": ["tc-vae"] * size,
        "data_name": ["a.particles.zarr"] * size,
        "status": ["FINISHED"] * size,
        "seconds": [1.0] * size,
        "start_time": pd.date_range("2026-01-01", periods=size, tz="UTC"),
    }
    return pd.DataFrame(usual | columns)


def test_labels_say_at_most_two_short_parameters_that_differ() -> None:
    runs = _runs(
        **{
            "params.a": ["1", "2", "3"],
            "params.b": ["1", "1", "2"],
            "params.c": ["x", "y", "x"],
            "params.d": ["same"] * 3,
            "params.out": ["work/1", "work/2", "work/3"],
            "params.long": ["p" * 40, "q" * 40, "r" * 40],
        }
    )
    first = labels.short_labels(runs)["0" * 32]
    assert first.startswith("evaluate · β-TCVAE · a 1, b 1 · 01 Jan")


def test_a_run_alone_of_its_kind_needs_no_parameter() -> None:
    runs = _runs(**{"params.a": ["1", "2"], "name": ["one", "two"]})
    assert "a 1" not in labels.short_labels(runs)["0" * 32]


def test_states_in_words() -> None:
    assert words.status(PREEMPTED, "train") == "Preempted, can go on"
    assert words.status("FINISHED", "unknown") == "Half-written"
    assert words.status("SOMETHING_NEW", "train") == "Something_new"


def test_names_that_only_repeat_the_step_are_left_out() -> None:
    assert "Name" not in run_table(_runs(status=["FINISHED"]))
    assert list(run_table(_runs(name=["evaluate", "mine"]))["Name"]) == ["", "mine"]


def test_pages_of_a_known_and_an_unknown_number() -> None:
    assert pages(101, 50, 1, 50) == 3
    assert pages(0, 0, 1, 50) == 1
    assert pages(None, 50, 4, 50) == 5


def test_losses_are_best_when_small() -> None:
    assert ORDERS["val/loss"][1].ascending
    assert not ORDERS["classification/accuracy"][1].ascending


def test_a_lineage_cannot_leave_its_quotes() -> None:
    evil = 'a"]; x [label="<script>&amp;\\'
    lineage = Lineage({evil: Node(evil, "data", evil, evil)}, {(evil, evil)})
    dot = lineage_dot(lineage, evil, dark=False)
    assert "<script" not in dot
    unescaped = dot.replace("\\\\", "").replace('\\"', "")
    assert all(line.count('"') % 2 == 0 for line in unescaped.splitlines())
    assert "; x [label=" not in "".join(unescaped.split('"')[::2])


def test_boxes_lead_to_pages() -> None:
    assert node_link(Node("f" * 32, "run", "train", "")) == f"?run={'f' * 32}"
    assert node_link(Node("w/a b.zarr/", "data", "stack", "")) == "?data=a+b.zarr"
    version = node_link(Node("m/x/3", "version", "m/x", ""))
    assert version == "models?model=m%2Fx&version=3"
