"""A parameter that is unknown, of the wrong type or out of range is named, before any work."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.cli.mlproject import ENTRIES, entry_class
from pipelines.cli.parameters import parse
from pipelines.training.parameters import Train

_BOMB = "a: &a [x, x]\n" + "".join(
    f"{b}: &{b} [*{a}, *{a}]\n" for a, b in zip("abcdefghi", "bcdefghij", strict=True)
)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"learnin_rate": 1}, "unknown parameter 'learnin_rate' (did you mean 'learning_rate'?)"),
        ({"epochs": "many"}, "parameter 'epochs'"),
        ({"epochs": 1.5}, "parameter 'epochs'"),
        ({"epochs": -3}, "parameter 'epochs'"),
        ({"beta": -1}, "parameter 'beta'"),
        ({"beta": "inf"}, "parameter 'beta': Input should be a finite number, found 'inf'"),
        ({"gamma": "nan"}, "parameter 'gamma': Input should be a finite number, found 'nan'"),
        ({"tc": "1e999"}, "parameter 'tc': Input should be a finite number, found '1e999'"),
        ({"compile": "perhaps"}, "parameter 'compile'"),
        ({"epochs": ""}, "parameter 'epochs': found nothing, expected passes over the data"),
        ({"affinity": ""}, "parameter 'affinity': found nothing, expected affinity CSV"),
        ({"tilt_range": "60 deg"}, "unable to parse string as a number, found '60 deg' ("),
        ({"depth": "-1"}, "parameter 'depth': Input should be 'auto' or Input should be greater"),
        ({"model": "vae"}, "parameter 'model': Input should be 'affinity-vae'"),
    ],
)
def test_row_32_bad_values(
    refused: Callable[..., str],
    options: dict[str, object],
    message: str,
) -> None:
    assert message in refused("train", data="is-not-there", **options)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("latent_dim: 4", "unknown parameter 'latent_dim' (did you mean 'latent_dims'?)"),
        ("epochs: [1, 2]", "parameter 'epochs'"),
        ("epochs: 2020-01-01", "parameter 'epochs'"),
        ("beta: .inf", "parameter 'beta': Input should be a finite number"),
        ("beta: {a: 1}", "parameter 'beta'"),
        ("epochs: 3\nbeta: 1\nepochs: 4", "line 3: found key 'epochs' twice, expected once"),
        ("epochs: &e 3\nlatent_dims: *e", "found alias *e, expected a value"),
        (_BOMB, "found alias *a, expected a value"),
        ("beta: !!python/object/apply:os.getcwd []", "line 1: could not determine a constructor"),
        ("- epochs", "found list, expected lines `name: value`"),
        ("3: 4", "found dict, expected lines `name: value`"),
        ("", "found NoneType, expected lines `name: value`"),
        ("epochs: [", "line 1: "),
        ("epochs: " + "[" * 60_000, "found lists in lists"),
        ("# " + "x" * 70_000, "found 70002 bytes"),
        ("\x00", "cannot be read as YAML"),
    ],
)
def test_row_32_bad_files(
    tmp_path: Path,
    refused: Callable[..., str],
    text: str,
    message: str,
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(text)
    said = refused("train", data="is-not-there", config=config)
    assert message in said
    assert said.count("\n") == 1


def test_row_32_a_file_that_is_not_there(
    refused: Callable[..., str],
) -> None:
    said = refused("train", config="no.yaml")
    assert "config: no.yaml: cannot be read (No such file or directory)" in said


@pytest.mark.parametrize("name", ENTRIES)
def test_row_32_no_entry_takes_a_number_that_is_none(name: str) -> None:
    assert entry_class(name).model_config["allow_inf_nan"] is False
    assert entry_class(name).model_config["extra"] == "forbid"


def test_a_file_of_parameters_counts_less_than_those_beside_it(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(
        "data: d\nepochs: 5\nbeta: 1e-2\nhold_out: [a, b]\naffinity: null\nwedge: none"
    )
    found = parse(Train, ["--epochs", "7", "--config", str(config)])
    assert found == Train(data="d", epochs=7, beta=0.01, hold_out=("a", "b"))
