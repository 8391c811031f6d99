"""The best of a study, its table and its figures."""

import optuna
import pytest
from latentlaw.tuning.report import best_trial, figures, objective_records, trial_table
from latentlaw.tuning.search import make_pruner, make_sampler


def study_of(*values: tuple[float, ...], directions: tuple[str, ...]) -> optuna.Study:
    study = optuna.create_study(directions=directions)
    study.set_metric_names([f"m/{i}" for i in range(len(directions))])
    for number, value in enumerate(values):
        trial = study.ask()
        trial.suggest_float("x", 0, 10)
        trial.suggest_categorical("c", [8, 16])
        trial.report(number, 0) if len(directions) == 1 else None
        study.tell(trial, value)
    return study


def test_the_best_of_several_objectives_gives_up_little_of_the_first() -> None:
    # 0.88 is within 2 % of 0.89 but not of 0.9.
    study = study_of(
        (0.9, 100), (0.5, 5), (0.89, 10), (0.88, 8), directions=("maximize", "minimize")
    )
    best = best_trial(study)
    assert best is not None
    assert best.number == 2


def test_the_best_of_one_objective_and_of_a_front_of_one() -> None:
    assert best_trial(study_of((3.0,), (1.0,), directions=("minimize",))).number == 1
    assert best_trial(study_of((3.0, 1.0), directions=("minimize", "minimize"))).number == 0
    assert best_trial(study_of(directions=("minimize",))) is None


def test_a_row_a_trial() -> None:
    table = trial_table(study_of((3.0,), (1.0,), directions=("minimize",)))
    assert table["m/0"].tolist() == [3.0, 1.0]
    assert {"trial", "state", "x", "c", "run_id", "error"} <= set(table)


def test_each_objective_says_what_it_depends_on() -> None:
    sampler = optuna.samplers.RandomSampler(seed=0)
    study = optuna.create_study(directions=("maximize", "minimize"), sampler=sampler)
    study.set_metric_names(["m/0", "m/1"])
    assert [record["importance"] for record in objective_records(study)] == [{}, {}]
    for _ in range(12):
        trial = study.ask()
        x = trial.suggest_float("x", 0, 1)
        trial.suggest_float("idle", 0, 1)
        study.tell(trial, (x, 1.0))
    first, second = objective_records(study)
    assert (first["name"], first["direction"]) == ("m/0", "maximize")
    assert (second["name"], second["direction"]) == ("m/1", "minimize")
    assert sum(first["importance"].values()) == pytest.approx(1)
    assert first["importance"]["x"] > 0.8
    assert second["importance"] == {}  # all alike


def test_figures_are_pages_without_a_network() -> None:
    one = study_of((3.0,), (1.0,), (2.0,), directions=("minimize",))
    assert set(figures(one)) == {"history", "importance", "parallel_coordinates", "epochs"}
    two = study_of((3.0, 1.0), (1.0, 2.0), directions=("minimize", "maximize"))
    assert {"pareto_front", "history_0", "importance_1"} <= set(figures(two))
    page = figures(one)["history"].to_html(include_plotlyjs=True)
    assert 'src="http' not in page
    assert figures(study_of(directions=("minimize",))) == {}


@pytest.mark.parametrize("name", ["tpe", "gp", "nsga2", "random"])
def test_a_study_that_goes_on_draws_other_trials(name: str) -> None:
    def first(done: int) -> float:
        study = optuna.create_study(sampler=make_sampler(name, seed=0, done=done, parallel=False))
        return study.ask({"x": optuna.distributions.FloatDistribution(0, 1)}).params["x"]

    assert first(0) == first(0) != first(7)


@pytest.mark.parametrize(
    ("name", "kind"), [("median", "Median"), ("hyperband", "Hyperband"), ("none", "Nop")]
)
def test_pruners_by_name(name: str, kind: str) -> None:
    assert type(make_pruner(name, 30)).__name__ == f"{kind}Pruner"
