"""A parameter or variable that does not exist is an error with the nearest that does."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.cli.environment import check_environment

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"checkpoint_evry": 5}, "did you mean 'checkpoint_every'"),
        ({"checkpoint_every": "inf"}, "parameter 'checkpoint_every'"),
        ({"patience": 0}, "parameter 'patience"),
        ({"precision": "fp8"}, "parameter 'precision': Input should be 'auto', 'fp32'"),
    ],
)
def test_row_34_misspelled_override(
    refused: Callable[..., str],
    option: dict[str, object],
    message: str,
) -> None:
    assert message in refused("train", data="is-not-there", **option)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("LATENTLAW_SPOL", "LATENTLAW_SPOOL"),
        ("LATENTLAW_SPOOLS", "LATENTLAW_SPOOL"),
        ("MLFLOW_TRACKING_URL", "MLFLOW_TRACKING_URI"),
        ("MLFLOW_EXPERIMENT", "MLFLOW_EXPERIMENT_NAME"),
        ("OPTUNA_STORGE", "OPTUNA_STORAGE"),
    ],
)
def test_row_34_misspelled_variable(
    refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch, name: str, nearest: str
) -> None:
    monkeypatch.setenv(name, "sqlite:///elsewhere.db")
    said = refused("train", data="is-not-there")
    assert f"found {name} (did you mean {nearest!r}?), which nothing reads" in said


def test_row_34_variables_that_somebody_reads_are_taken() -> None:
    others = ("MLFLOW_TRACKING_TOKEN", "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "PATH")
    check_environment(dict.fromkeys(others, "x"))
    of_infra = {
        name
        for path in (ROOT / "infra").rglob("*")
        if path.is_file()
        for name in re.findall(r"LATENTLAW_[A-Z_]+", path.read_text(errors="ignore"))
    }
    assert len(of_infra) >= 5
    check_environment(dict.fromkeys(of_infra, "x"))
