"""Search spaces and objectives are checked before anything runs; the nearest name is offered."""

from pathlib import Path

import pytest
from latentlaw.errors import ConfigError
from latentlaw.tuning.objectives import DIRECTIONS, check_comparable, parse_objectives
from latentlaw.tuning.space import parse_space
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from pipelines.cli.parameters import parse
from pipelines.tuning.parameters import Tune
from pipelines.tuning.plan import pruner_of
from pipelines.tuning.search_space import load_space

COMMON = {"data": "d", "affinity": "a.csv", "model": "affinity-vae", "epochs": 5, "seed": 0}


def load(tmp_path: Path, text: str, *, laws: bool = False, **common: object) -> object:
    (tmp_path / "space.yaml").write_text(text)
    return load_space(
        str(tmp_path / "space.yaml"), "affinity-vae", laws=laws, common=COMMON | common
    )


def test_ranges_are_optunas_distributions() -> None:
    space = parse_space(
        {
            "a": {"type": "float", "low": "1e-4", "high": 1, "log": True},
            "b": {"type": "int", "low": 2, "high": 8, "step": 2},
            "c": {"type": "categorical", "choices": [8, "auto", None, True]},
        },
        "test",
    )
    assert [each.distribution() for each in space.values()] == [
        FloatDistribution(1e-4, 1, log=True),
        IntDistribution(2, 8, step=2),
        CategoricalDistribution([8, "auto", None, True]),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("latent_dim: {type: int, low: 2, high: 4}", "did you mean 'latent_dims'"),
        ("latent_dims: {type: int, low: 0, high: 4}", "latent_dims 0: parameter 'latent_dims'"),
        ("latent_dims: {type: int, low: 2, high: 9999}", "latent_dims 9999: parameter"),
        (
            "latent_dims: {type: int, low: 2.5, high: 4}",
            "latent_dims.low: Input should be a valid",
        ),
        ("latent_dims: {type: int, low: 4, high: 2}", "found low 4, expected one below high 2"),
        ("latent_dims: {type: integer, low: 2, high: 4}", "'int'"),
        ("latent_dims: {type: int, low: 2, hihg: 4}", "latent_dims.high: Field required"),
        ("beta: {type: float, low: 0, high: 1, log: true}", "found low 0, which has no logarithm"),
        ("beta: {type: float, low: 1, high: 2, log: true, step: 0.1}", "found step and log"),
        ("beta: {type: float, low: -1, high: 1}", "beta -1.0: parameter 'beta'"),
        ("beta: {type: float, low: 0, high: .inf}", "beta.high: Input should be a finite number"),
        ("decoder: {type: categorical, choices: [conv, spalt]}", "did you mean 'splat'"),
        ("decoder: {type: categorical, choices: []}", "decoder.choices: Tuple should have"),
        ("beta: 3", "beta"),
        ("seed: {type: int, low: 0, high: 4}", "seed is the same in all trials; take it out"),
        ("epochs: {type: int, low: 1, high: 4}", "epochs is the same in all trials"),
        ("hold_out: {type: categorical, choices: [a]}", "hold_out is the same in all trials"),
        ("discover.max_complexity: {type: int, low: 5, high: 9}", "objective such as pareto"),
        (
            "model: {type: categorical, choices: [tc-vae]}",
            "affinity: found one, expected none for a tc-vae",
        ),
    ],
)
def test_spaces_that_cannot_be_searched(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        load(tmp_path, text)
    assert message in str(refusal.value)
    assert "space.yaml" in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("discover.max_complexty: {type: int, low: 5, high: 9}", "mean 'discover.max_complexity'"),
        ("discover.max_complexity: {type: int, low: 1, high: 9}", "parameter 'max_complexity'"),
    ],
)
def test_the_search_for_equations_has_limits_too(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        load(tmp_path, text, laws=True)
    assert message in str(refusal.value)


@pytest.mark.parametrize("laws", [False, True])
@pytest.mark.parametrize("family", ["affinity-vae", "beta-vae", "tc-vae", "autoencoder"])
def test_every_preset_is_within_its_limits(family: str, laws: bool) -> None:
    affinity = "a.csv" if family == "affinity-vae" else None
    space = load_space(
        None, family, laws=laws, common=COMMON | {"model": family, "affinity": affinity}
    )
    assert "learning_rate" in space
    assert ("discover.max_complexity" in space) == laws


def test_objectives_by_name() -> None:
    pareto = ("discovery/equation_accuracy", "discovery/equation_complexity")
    assert parse_objectives("pareto") == parse_objectives(", ".join(pareto)) == pareto
    assert [DIRECTIONS[name] for name in pareto] == ["maximize", "minimize"]
    with pytest.raises(
        ConfigError, match=r"'classification/macrof1'.*mean 'classification/macro_f1'"
    ):
        parse_objectives("classification/macrof1")
    with pytest.raises(ConfigError, match="found 'val/loss' twice"):
        parse_objectives("val/loss,val/loss")


def test_a_loss_that_the_space_rescales_is_no_objective() -> None:
    check_comparable(("val/loss",), {"learning_rate", "channels"})
    check_comparable(("classification/macro_f1",), {"beta"})
    with pytest.raises(ConfigError, match="found val/loss and a space of beta, tc"):
        check_comparable(("val/loss",), {"learning_rate", "beta", "tc"})


def test_only_one_objective_that_epochs_know_prunes() -> None:
    def chosen(pruner: str, objective: str) -> str:
        return pruner_of(Tune(data="d", pruner=pruner), parse_objectives(objective))

    assert chosen("auto", "separation/silhouette") == "median"
    assert chosen("hyperband", "separation/silhouette") == "hyperband"
    assert chosen("auto", "pareto") == "none"
    with pytest.raises(ConfigError, match=r"expected one measure.*use pruner=none"):
        chosen("median", "pareto")


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"sampler": "tpee"}, "did you mean 'tpe'"),
        ({"pruner": "medain"}, "did you mean 'median'"),
        ({"trials": 0}, "parameter 'trials'"),
        ({"trails": 5}, "did you mean 'trials'"),
        ({"model": "affinity"}, "did you mean 'affinity-vae'"),
    ],
)
def test_parameters_name_the_nearest(option: dict[str, object], message: str) -> None:
    arguments = [part for k, v in ({"data": "d"} | option).items() for part in (f"--{k}", str(v))]
    with pytest.raises(ConfigError) as refusal:
        parse(Tune, arguments)
    assert message in str(refusal.value)
