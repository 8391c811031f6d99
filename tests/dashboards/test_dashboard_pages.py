"""Every page in Streamlit's own test harness: full, empty and damaged stores, hostile names."""

from collections.abc import Callable
from pathlib import Path

import pytest
from latentlaw.tracking import names
from streamlit.testing.v1 import AppTest

from tests.dashboards.dashboard_store import EQUATIONS, Store, fill

APP = Path(__file__).resolve().parents[2] / "dashboards" / "app.py"
PAGES = ("runs", "clusters", "frontier", "equations", "tuning", "models")
HOSTILE = "<script>alert(1)</script> $x$ [a](b)"
Open = Callable[..., AppTest]


def _texts(app: AppTest) -> str:
    kinds = ("markdown", "caption", "header", "subheader", "info", "error", "warning", "success")
    return "\n".join(str(element.value) for kind in kinds for element in app.get(kind))


def _assert_sound(app: AppTest) -> None:
    assert not app.exception, [e.value for e in app.exception]


def test_the_app_starts_on_runs_and_leads_to_each_page(
    full_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", full_store.uri)
    app = AppTest.from_file(str(APP), default_timeout=30).run()
    _assert_sound(app)
    assert app.title[0].value == "Runs"
    for page, title in (("clusters", "Clusters"), ("equations", "Equations")):
        app.switch_page(f"views/{page}.py").run()
        _assert_sound(app)
        assert app.title[0].value == title


@pytest.mark.parametrize("page", PAGES)
def test_an_empty_store_says_what_to_run(page: str, empty_store: Store, open_page: Open) -> None:
    app = open_page(page, empty_store.uri)
    _assert_sound(app)
    assert "mlflow run ." in app.info[0].value


def test_a_store_that_is_not_there_is_an_empty_one(tmp_path: Path, open_page: Open) -> None:
    app = open_page("runs", f"sqlite:///{tmp_path / 'none.db'}")
    _assert_sound(app)
    assert "No runs yet" in app.info[0].value


def test_a_broken_store_is_a_message(tmp_path: Path, open_page: Open) -> None:
    (tmp_path / "broken.db").write_bytes(b"not a database" * 100)
    app = open_page("runs", f"sqlite:///{tmp_path / 'broken.db'}")
    _assert_sound(app)
    assert "cannot be read" in app.error[0].value


def test_runs_are_filtered_and_compared(full_store: Store, open_page: Open) -> None:
    app = open_page("runs", full_store.uri)
    _assert_sound(app)
    assert len(app.dataframe[0].value) == 9
    app.selectbox(key="family").set_value("beta-vae").run()
    assert set(app.dataframe[0].value["Model"]) == {"β-VAE"}
    app.selectbox(key="stage").set_value("train").run()
    assert len(app.dataframe[0].value) == 1
    app.text_input(key="q").set_value("nothing has this name").run()
    assert "No run matches" in app.info[0].value
    app.text_input(key="q").set_value("").run()
    app.selectbox(key="family").set_value(None).run()
    app.selectbox(key="sort").set_value("val/loss").run()
    losses = list(app.dataframe[0].value["Validation loss"].dropna())
    assert losses == sorted(losses)
    assert len(losses) == 2


def test_the_url_carries_the_filters(full_store: Store, open_page: Open) -> None:
    app = open_page("runs", full_store.uri, stage="Evaluate", sort="Accuracy, best first")
    assert list(app.dataframe[0].value["Accuracy"]) == pytest.approx([0.964, 0.934])
    app = open_page("runs", full_store.uri, metric="Median pose error (degrees)", at_most="10")
    assert list(app.dataframe[0].value["pose/median_error_deg"]) == pytest.approx([8.4])
    assert "pose error" in app.caption[0].value


def test_runs_of_the_url_are_picked_and_show_losses(full_store: Store, open_page: Open) -> None:
    app = open_page("runs", full_store.uri, full_store.ids["train"], full_store.ids["main"])
    _assert_sound(app)
    assert app.multiselect(key="runs-runs").value == [
        full_store.ids["train"],
        full_store.ids["main"],
    ]
    app.multiselect(key="runs-runs").set_value([full_store.ids["train"]]).run()
    _assert_sound(app)
    assert full_store.ids["train"] in app.query_params["run"]
    assert full_store.ids["main"] not in app.query_params["run"]


def test_tabs_show_losses_lineage_and_steps(full_store: Store, open_page: Open) -> None:
    train, main = full_store.ids["train"], full_store.ids["main"]
    app = open_page("runs", full_store.uri, train, show="Losses")
    _assert_sound(app)
    assert len(app.get("plotly_chart")) == 1
    app = open_page("runs", full_store.uri, main, show="Steps and trials")
    _assert_sound(app)
    assert list(app.dataframe[1].value["Step"]) == ["train", "evaluate", "discover laws"]
    app = open_page("runs", full_store.uri, train, show="Lineage")
    _assert_sound(app)
    graph = app.get("graphviz_chart")[0].proto.spec
    assert f'URL="?run={full_store.ids["evaluate"]}"' in graph


def test_a_filter_does_not_lose_what_is_picked(full_store: Store, open_page: Open) -> None:
    app = open_page("runs", full_store.uri, full_store.ids["train"])
    app.selectbox(key="stage").set_value("discover").run()
    _assert_sound(app)
    assert app.multiselect(key="runs-runs").value == [full_store.ids["train"]]
    assert set(app.dataframe[0].value["Step"]) == {"discover laws"}


def test_runs_of_one_kind_are_told_apart_by_what_differs(
    empty_store: Store, open_page: Open
) -> None:
    for gamma in (1.0, 0.0):
        train = empty_store.add("train", model_family="affinity-vae")
        empty_store.log(train, params={"gamma": gamma, "out": f"work/{gamma}"}, metrics={})
        run = empty_store.add("evaluate", model_family="affinity-vae")
        empty_store.log(run, params={"model": train}, metrics={})
    app = open_page("runs", empty_store.uri, stage="Evaluate")
    labels = app.multiselect(key="runs-runs").options
    assert ["gamma 0.0" in labels[0], "gamma 1.0" in labels[1]] == [True, True]
    assert not any("out" in label for label in labels)


def test_a_run_of_the_url_that_is_not_there_is_named(full_store: Store, open_page: Open) -> None:
    app = open_page("clusters", full_store.uri, "<b>no</b>")
    _assert_sound(app)
    assert "Not among the runs" in app.warning[0].value
    assert "<b>" not in app.warning[0].value


def test_clusters_stand_side_by_side_with_the_better_marked(
    full_store: Store, open_page: Open
) -> None:
    app = open_page("clusters", full_store.uri)
    _assert_sound(app)
    # two embeddings; a heat map of the run without prior, three of the run with one
    assert len(app.get("plotly_chart")) == 2 + 1 + 3
    table = app.dataframe[0].value
    with_prior = next(column for column in table if "Affinity-VAE" in column)
    assert table.loc["Silhouette (cosine distance) ↑", with_prior] == "0.610 ✓"
    assert table.loc["Median pose error (degrees) ↓", with_prior] == "8.400 ✓"
    app.selectbox(key="colour").set_value("novelty").run()
    _assert_sound(app)
    app.selectbox(key="projection").set_value("latents").run()
    _assert_sound(app)
    assert [app.selectbox(key=key).value for key in "xy"] == ["z0", "z1"]


def test_a_region_in_the_url_shows_its_members_as_pictures_and_files(
    full_store: Store, open_page: Open
) -> None:
    run = full_store.ids["evaluate"]
    everything = f"{run}~logged~-9,-9_9,-9_9,9_-9,9"
    app = open_page("clusters", full_store.uri, run, region=everything, particle=f"{run}~4")
    _assert_sound(app)
    assert r"**360 particles** selected, 100.0% of the embedding" in _texts(app)
    assert r"**p0000004** · kept" in _texts(app)
    assert "Mean of 360, as they lie (not aligned)" in _texts(app)
    assert [b.proto.label for b in app.get("download_button")] == ["CSV", "STAR", "Mean as MRC"]
    composition = next(d.value for d in app.dataframe if "Particles" in d.value)
    assert composition.loc["ribosome", "Particles"] == 59
    next(b for b in app.button if "Clear" in b.label).click().run()
    _assert_sound(app)
    assert "selected" not in _texts(app).replace("select them", "")


@pytest.mark.parametrize(
    "text", ["x", "a~b~1,1_2,2_3,4", "{run}~os.x~0,0_1,0_0,1", "{run}~z0-z99~0,0_1,0_0,1"]
)
def test_a_region_that_says_nothing_is_passed_over(
    text: str, full_store: Store, open_page: Open
) -> None:
    run = full_store.ids["evaluate"]
    app = open_page("clusters", full_store.uri, run, region=text.format(run=run), particle=text)
    _assert_sound(app)


def test_particles_that_changed_since_the_run_are_not_shown(
    tmp_path: Path, open_page: Open
) -> None:
    store = fill(Store(tmp_path))
    run = store.ids["evaluate"]
    store.client.set_tag(run, names.TAG_DATA_DIGEST, "another")
    everything = f"{run}~logged~-9,-9_9,-9_9,9_-9,9"
    app = open_page("clusters", store.uri, run, region=everything)
    _assert_sound(app)
    assert "has changed since the run" in _texts(app)
    assert [b.proto.label for b in app.get("download_button")] == ["CSV"]


def test_the_slider_names_the_simplest_model(full_store: Store, open_page: Open) -> None:
    app = open_page("frontier", full_store.uri, full_store.ids["discover"])
    _assert_sound(app)
    assert "equations, 35 nodes" in app.success[0].value
    app.slider[0].set_value(100.0).run()
    assert "CNN on pixels" in app.success[0].value


def test_a_model_in_the_url_shows_its_equations(
    full_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", full_store.uri)
    run = full_store.ids["discover"]
    app = AppTest.from_file(str(APP), default_timeout=30)
    for model, shown in (
        (f"{run}~equations, 12 nodes", True),
        ("x", False),
        (f"{run}~no such", False),
        (f"{'a' * 32}~equations, 12 nodes", False),
    ):
        app.query_params["run"], app.query_params["model"] = run, model
        app.switch_page("views/frontier.py").run()
        _assert_sound(app)
        assert any("2.31 z_{0}" in law.value for law in app.latex) == shown
        assert [m.value for m in app.metric][:2] == (["12", "0.791"] if shown else [])


def test_a_ladder_has_a_frontier_a_task_with_intervals(
    empty_store: Store, open_page: Open
) -> None:
    run = empty_store.add("ladder", model_family="tc-vae", data_digest="d")
    empty_store.log(run, params={"tasks": "a,b;b,c"}, metrics={})
    names_of = ("family", "name", "complexity", "accuracy", "macro_f1")
    rows = (("cnn", "black box", 9000, 0.9, 0.9), ("equation", "equations", 9, 0.89, 0.88))
    for task in range(2):
        frontier = [
            {**dict(zip(names_of, row, strict=True)), "accuracy_low": 0.85, "accuracy_high": 0.93}
            for row in rows
        ]
        empty_store.put(run, f"{task}/{names.FRONTIER}" if task else names.FRONTIER, frontier)
    app = open_page("frontier", empty_store.uri, run)
    _assert_sound(app)
    assert [("a,b" in s.value, "b,c" in s.value) for s in app.success] == [
        (True, False), (False, True)
    ]  # fmt: skip
    assert "**equations**" in app.success[0].value
    assert list(app.dataframe[0].value["from"]) == [0.85] * 4


def test_robustness_is_shown_a_row_a_family(full_store: Store, open_page: Open) -> None:
    app = open_page("frontier", full_store.uri, full_store.ids["discover"])
    _assert_sound(app)
    table = app.dataframe[1].value
    assert list(table.index) == ["CNN on pixels", "Equations of latents"]
    assert table.loc["Equations of latents", "Median radius, L2"] == pytest.approx(1.3)
    assert table.loc["CNN on pixels", "Accuracy at equal intensity"] == pytest.approx(0.7)
    assert len(app.get("plotly_chart")) == 2
    assert len(app.get("image")) == 1


def test_equations_are_typeset_with_their_strips(full_store: Store, open_page: Open) -> None:
    app = open_page("equations", full_store.uri, full_store.ids["discover"])
    _assert_sound(app)
    shown = "\n".join(element.value for element in app.latex)
    for _, expression, latex, _ in EQUATIONS:
        assert latex in shown
        assert expression in [code.value for code in app.code]
    assert len(app.get("image")) == 3
    assert len(app.metric) == 5
    captions = [caption.value for caption in app.caption]
    assert r"**z0** area, r \= 0\.93 · **z1** x, r \= \-0\.88" in captions
    assert r"**z0** area, r \= 0\.93" in captions  # ribosome: z3 has no name
    assert not any("collapsed" in caption for caption in captions)  # no equation has z2
    assert captions.count("found by **3 of 4** searches") == len(EQUATIONS)
    assert not [header for header in app.header if "several runs" in header.value]


def test_laws_that_several_runs_found_are_shown_once(
    tmp_path_factory: pytest.TempPathFactory, open_page: Open
) -> None:
    store = Store(tmp_path_factory.mktemp("laws"))
    runs = [store.add("discover") for _ in range(3)]
    texts = ("2.0*z0*z1 - 4.0*z1", "2.1*z1*(z0 - 2.0)", "3.0*z0")
    for run, text in zip(runs, texts, strict=True):
        row = {"class": "a", "expression": text, "latex": "x", "complexity": 9, "accuracy": 0.9}
        store.put(run, names.EQUATIONS, [row])
    app = open_page("equations", store.uri, *runs)
    _assert_sound(app)
    assert "found by **2 of 3** runs" in [caption.value for caption in app.caption]
    assert "2 z_{0} z_{1} - 4 z_{1}" in [law.value.strip("$\n ") for law in app.latex]
    app = open_page("equations", store.uri, runs[0], runs[2])
    assert "No two of the picked runs" in app.info[0].value


@pytest.fixture(scope="module")
def damaged_store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(tmp_path_factory.mktemp("damaged"))
    evaluate, discover = store.add("evaluate"), store.add("discover")
    store.put(evaluate, names.EMBEDDINGS, b"PAR1")
    store.put(evaluate, names.AFFINITY, {"class_names": ["a"], "used": [[1, 2]]})
    store.put(discover, names.FRONTIER, b"[{]")
    equation = {"class": "a", "expression": "z0 + z1", "latex": "z_{0} + z_{1}"}
    store.put(discover, names.EQUATIONS, [{**equation, "complexity": 3, "accuracy": None}])
    store.put(discover, names.LATENTS, [{"latent": "z0"}])
    store.put(discover, "traversals/z0.png", b"\x89PNG\r\n\x1a\n")
    header_only = b"\x89PNG\r\n\x1a\n" + b"\0" * 20 + b"IEND\xaeB`\x82"
    store.put(discover, "traversals/z1.png", header_only)
    return store


@pytest.mark.parametrize(
    ("page", "named"),
    [
        ("runs", ()),
        ("clusters", ("embeddings", "affinity")),
        ("frontier", ("frontier",)),
        ("equations", ("z0", "z1", "latents")),
    ],
)
def test_damaged_artifacts_are_named_and_the_page_still_renders(
    page: str, named: tuple[str, ...], damaged_store: Store, open_page: Open
) -> None:
    app = open_page(page, damaged_store.uri)
    _assert_sound(app)
    errors = "\n".join(error.value for error in app.error)
    for name in named:
        assert name in errors
    assert errors.count("damaged") == len(named)


def test_runs_that_recorded_nothing_still_render(empty_store: Store, open_page: Open) -> None:
    for stage in ("evaluate", "discover"):
        empty_store.add(stage)
    for page in PAGES:
        app = open_page(page, empty_store.uri)
        _assert_sound(app)
    app = open_page("equations", empty_store.uri)
    assert "was not recorded" in app.info[0].value


def test_a_class_name_with_latex_in_it_is_shown_as_it_is(
    empty_store: Store, open_page: Open
) -> None:
    name = r"$\beta$-tubulin_{2} & co"
    run = empty_store.add("discover")
    equation = {"expression": "z0", "latex": "z_{0}", "complexity": 1, "accuracy": 1}
    empty_store.put(run, names.EQUATIONS, [{**equation, "class": name}])
    app = open_page("equations", empty_store.uri, run)
    _assert_sound(app)
    assert r"**\$\\beta\$\-tubulin\_\{2\} \& co**" in [m.value for m in app.markdown]
    assert "z_{0}" in app.latex[0].value


def test_scripts_in_names_are_text_on_every_page(tmp_path: Path, open_page: Open) -> None:
    store = fill(Store(tmp_path), classes=(HOSTILE, "x" * 10_000, "plain"))
    for run in store.client.search_runs([store.experiment]):
        store.client.set_tag(run.info.run_id, "mlflow.runName", HOSTILE)
        store.client.set_tag(run.info.run_id, names.TAG_MODEL_FAMILY, HOSTILE * 20)
    equation = {"expression": HOSTILE, "complexity": 1, "accuracy": 1}
    store.put(
        store.ids["discover"],
        names.EQUATIONS,
        [{**equation, "class": HOSTILE, "latex": f"$$ {HOSTILE}"}],
    )
    picks = {"runs": "train", "clusters": "evaluate"}
    for page in PAGES:
        app = open_page(page, store.uri, store.ids[picks.get(page, "discover")])
        _assert_sound(app)
        assert "<script" not in _texts(app).replace(r"\<script", "")
        assert not any(element.allow_html for element in app.markdown)
        for chart in app.get("plotly_chart"):
            assert "<script" not in chart.proto.spec
