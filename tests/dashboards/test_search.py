"""Runs are found among many: a page of those that match, in order, and their number."""

from pathlib import Path

import numpy as np
import pytest
from latentlaw.tracking import names
from latentlaw.tracking.reading.queries import PREEMPTED
from latentlaw.tracking.reading.run_query import Condition, Order, RunQuery
from latentlaw.tracking.reading.search import Found, as_filter, find_runs
from latentlaw.tracking.reading.search_sql import is_database
from mlflow import MlflowClient

from tests.dashboards.dashboard_store import Store
from tests.dashboards.many_runs import many_runs


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Six trainings of growing accuracy; one preempted, one failed, one a step, one NaN."""
    made = Store(tmp_path_factory.mktemp("search"))
    parent = made.add("main")
    for number in range(6):
        family = "tc-vae" if number % 2 else "beta-vae"
        run = made.add(
            "train",
            parent=parent if number == 5 else None,
            model_family=family,
            data_digest=f"{number:x}bcdef99",
        )
        made.client.set_tag(run, "mlflow.runName", f"it's run {number}")
        made.client.update_run(run, name=f"it's run {number}")
        made.client.set_tag(run, "owner", f"person {number}")
        value = np.nan if number == 4 else number / 10
        made.log(run, params={}, metrics={"classification/accuracy": value})
        if number == 2:
            made.client.set_tag(run, names.TAG_RESUME, "checkpoints")
        made.end(run, {2: "FAILED", 3: "FAILED"}.get(number, "FINISHED"))
        made.ids[str(number)] = run
    return made


def _numbers(store: Store, found: Found) -> list[str]:
    back = {run: key for key, run in store.ids.items()}
    return [back[run] for run in found.runs["run_id"]]


CASES = {
    "a stage": (RunQuery(stage="main"), ["main"]),
    "part of a name": (RunQuery(text="RUN 3"), ["3"]),
    "a quote in a name": (RunQuery(text="it's run 1"), ["1"]),
    "a family": (RunQuery(family="tc-vae"), ["5", "3", "1"]),
    "the start of a digest": (RunQuery(data="3BCDEF"), ["3"]),
    "failed is not preempted": (RunQuery(status="FAILED"), ["3"]),
    "preempted": (RunQuery(status=PREEMPTED), ["2"]),
    "a tag": (RunQuery(tag="owner = person 4"), ["4"]),
    "any value of a tag": (RunQuery(tag="owner", top_level=True), ["4", "3", "2", "1", "0"]),
    "no step of another": (RunQuery(top_level=True, family="tc-vae"), ["3", "1"]),
    "at least": (RunQuery(metric="classification/accuracy", at_least=0.3), ["5", "3"]),
    "at most": (RunQuery(metric="classification/accuracy", at_most=0.1), ["1", "0"]),
    "another experiment": (RunQuery(experiment="other"), []),
    "nothing": (RunQuery(text="x' OR 1=1 --"), []),
    "best first, the unmeasured last": (
        RunQuery(stage="train", order=Order("metrics", "classification/accuracy")),
        ["5", "3", "2", "1", "0", "4"],
    ),
    "oldest first": (
        RunQuery(stage="train", order=Order("attributes", "start_time", ascending=True)),
        ["0", "1", "2", "3", "4", "5"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_question_in_sql(case: str, store: Store) -> None:
    query, expected = CASES[case]
    found = find_runs(store.uri, query)
    assert _numbers(store, found) == expected
    assert found.total == len(expected)


@pytest.mark.parametrize("case", CASES)
def test_a_server_is_asked_the_same(
    case: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The same store, by MLflow's own search, as a server runs it.
    monkeypatch.setattr("latentlaw.tracking.reading.search.is_database", lambda uri: False)
    query, expected = CASES[case]
    found = find_runs(store.uri, query)
    assert _numbers(store, found) == expected
    assert found.total == len(expected)


@pytest.mark.parametrize("by_server", [False, True])
def test_pages_join_without_gap_or_overlap(
    by_server: bool, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    if by_server:
        monkeypatch.setattr("latentlaw.tracking.reading.search.is_database", lambda uri: False)
    query = RunQuery(stage="train")
    pages = [find_runs(store.uri, query, offset=at, limit=4) for at in (0, 4)]
    assert [n for page in pages for n in _numbers(store, page)] == ["5", "4", "3", "2", "1", "0"]
    assert pages[0].total == (None if by_server else 6)
    assert pages[1].total == 6


def test_the_start_of_an_id_finds_its_run(store: Store) -> None:
    found = find_runs(store.uri, RunQuery(text=store.ids["3"][:12]))
    assert _numbers(store, found) == ["3"]


def test_the_name_of_a_stack_finds_its_runs(store: Store, tmp_path: Path) -> None:
    uri = many_runs(tmp_path, 40)
    found = find_runs(uri, RunQuery(data="STACK_7.part"))
    assert list(found.runs["data_name"]) == ["stack_7.particles.zarr"] * 2
    assert found.total == 2


@pytest.mark.parametrize(
    ("value", "quoted"),
    [
        ("%x' OR 'y%", "\"%x' OR 'y%\""),
        ('%x" OR "y%', "'%x\" OR \"y%'"),
        ("%x' OR \"y%", '"%x\' OR _y%"'),
    ],
)
def test_values_of_filters_cannot_leave_their_quotes(value: str, quoted: str) -> None:
    asked = [Condition("tags", "a`b", "ILIKE", value), Condition("metrics", "m", ">=", 0.5)]
    assert as_filter(asked) == f"tags.`ab` ILIKE {quoted} AND metrics.`m` >= 0.5"


def test_a_database_is_read_only(store: Store) -> None:
    from latentlaw.tracking.reading.search_sql import _engine
    from sqlalchemy import text
    from sqlalchemy.exc import OperationalError

    with (
        _engine(store.uri).connect() as connection,
        pytest.raises(OperationalError, match="readonly"),
    ):
        connection.execute(text("DELETE FROM runs"))


def test_what_is_a_database() -> None:
    assert is_database("postgresql+psycopg://u@h/db")
    assert not is_database("http://127.0.0.1:5000")
    assert not is_database("mlruns")


def test_runs_of_foreign_experiments_need_a_stage(store: Store) -> None:
    other = MlflowClient(store.uri).create_experiment("foreign", str(store.folder / "foreign"))
    MlflowClient(store.uri).create_run(other)
    assert find_runs(store.uri, RunQuery()).total == 7
    assert find_runs(store.uri, RunQuery(experiment="foreign")).total == 1
