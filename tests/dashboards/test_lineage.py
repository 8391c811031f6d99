"""Lineage, from tomograms to a registered version."""

from pathlib import Path

import pytest
from latentlaw.tracking.reading.lineage import Lineage, trace_lineage

from tests.dashboards.dashboard_store import Store


@pytest.fixture
def chain(empty_store: Store) -> Store:
    """The steps of a pipeline as they record themselves, the stack made twice."""
    steps = {
        "ingest": {"source": "raw/tomograms", "out": "work/tomograms"},
        "extract": {"tomograms": "work/tomograms", "out": "work/a.particles.zarr"},
        "affinity": {"out": "work/affinity.csv"},
    }
    for stage, params in steps.items():
        run = empty_store.add(stage)
        empty_store.log(run, params=params, metrics={})
        empty_store.end(run)
    train = empty_store.add("train", model_family="affinity-vae")
    data = {"data": "work/a.particles.zarr", "affinity": "work/affinity.csv"}
    empty_store.log(train, params={**data, "model": "affinity-vae"}, metrics={})
    discover = empty_store.add("discover", model_family="affinity-vae")
    empty_store.log(discover, params={"model": train, "data": "work/a.particles.zarr"}, metrics={})
    again = empty_store.add("extract")
    empty_store.log(again, params={"out": "work/a.particles.zarr"}, metrics={})
    empty_store.ids["again"] = again
    empty_store.client.create_registered_model("m")
    empty_store.client.create_model_version("m", f"runs:/{discover}/model", discover)
    empty_store.client.set_registered_model_alias("m", "champion", "1")
    return empty_store


def _edges(store: Store, found: Lineage) -> set[tuple[str, str]]:
    back = {run: name for name, run in store.ids.items()}
    return {(back.get(a, a), back.get(b, b)) for a, b in found.edges}


WHOLE = {
    ("raw/tomograms", "ingest"),
    ("ingest", "work/tomograms"),
    ("work/tomograms", "extract"),
    ("extract", "work/a.particles.zarr"),
    ("work/a.particles.zarr", "train"),
    ("affinity", "work/affinity.csv"),
    ("work/affinity.csv", "train"),
    ("train", "discover"),
    ("discover", "m/1"),
}


def test_a_law_leads_to_its_tomograms_and_its_version(chain: Store) -> None:
    found = trace_lineage(chain.uri, chain.ids["discover"])
    assert _edges(chain, found) == WHOLE
    assert found.nodes["m/1"].detail == "version 1, champion"
    assert not found.cut


def test_a_model_leads_both_ways(chain: Store) -> None:
    assert _edges(chain, trace_lineage(chain.uri, chain.ids["train"])) == WHOLE


def test_a_registration_shows_what_it_registered(chain: Store) -> None:
    register = chain.add("register")
    chain.log(register, params={"run": chain.ids["discover"]}, metrics={})
    assert _edges(chain, trace_lineage(chain.uri, register)) == WHOLE


def test_a_stack_made_anew_later_is_not_the_one_that_was_trained_on(chain: Store) -> None:
    found = trace_lineage(chain.uri, chain.ids["train"])
    assert chain.ids["again"] not in found.nodes


def test_data_lead_to_the_models_trained_on_them(chain: Store) -> None:
    edges = _edges(chain, trace_lineage(chain.uri, chain.ids["extract"]))
    assert ("work/a.particles.zarr", "train") in edges
    assert ("work/tomograms", "extract") in edges


def test_runs_that_name_each_other_end(empty_store: Store) -> None:
    first, second = empty_store.add("train"), empty_store.add("evaluate")
    empty_store.log(first, params={"model": second}, metrics={})
    empty_store.log(second, params={"model": first}, metrics={})
    assert set(trace_lineage(empty_store.uri, first).nodes) == {first, second}


def test_many_runs_of_one_model_are_cut(empty_store: Store) -> None:
    train = empty_store.add("train")
    for _ in range(12):
        run = empty_store.add("evaluate")
        empty_store.log(run, params={"model": train}, metrics={})
    assert len(trace_lineage(empty_store.uri, train).nodes) == 11


def test_what_is_no_run_has_no_lineage(empty_store: Store, tmp_path: Path) -> None:
    assert not trace_lineage(empty_store.uri, "' OR 1=1").nodes
    assert not trace_lineage(f"sqlite:///{tmp_path}/none.db", "a" * 32).nodes
