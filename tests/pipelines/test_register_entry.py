"""Commands `register` and `rollback`: what they say, refuse, and leave in the registry."""

from pathlib import Path

import pytest
from latentlaw.data.particles.stack import open_stack
from latentlaw.errors import ConfigError
from latentlaw.tracking.names import TAG_STAGE
from mlflow.tracking import MlflowClient

from pipelines import register, rollback
from pipelines.cli.parameters import parse
from pipelines.register import Register
from pipelines.rollback import Rollback
from tests.logged_models import bars, trained

pytestmark = pytest.mark.usefixtures("tracking_store")


@pytest.fixture
def data(tmp_path: Path) -> str:
    return bars(tmp_path / "bars.particles.zarr")


def test_version_says_what_the_gate_measured(data: str) -> None:
    first = register.run(Register(run=trained(data), name="m"))
    assert first.promoted
    second = register.run(Register(run=trained(data, wrong=1.0), name="m", metric="accuracy"))
    assert not second.promoted
    tags = MlflowClient().get_model_version("m", second.version).tags
    assert tags["latentlaw.gate_reason"] == second.reason
    assert tags["latentlaw.gate_metric"] == "accuracy"
    assert (tags["latentlaw.gate_particles"], tags["latentlaw.gate_groups"]) == ("60", "6")
    low, value, high = (float(tags[f"latentlaw.gate_{k}"]) for k in ("low", "value", "high"))
    assert low <= value <= high
    assert tags["latentlaw.data_digest"] == open_stack(data).digest
    assert str(MlflowClient().get_model_version_by_alias("m", "champion").version) == first.version
    assert (
        str(MlflowClient().get_model_version_by_alias("m", "candidate").version) == second.version
    )


def test_rollback_is_one_command_and_a_run(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    run_id = trained(data)
    for _ in range(2):
        register.run(Register(run=run_id, name="m"))
    capsys.readouterr()
    assert rollback.run(Rollback(name="m")) == "1"
    said = capsys.readouterr().err
    assert "rollback: champion of m is version 1, was 2; none is before it" in said
    stages = [run.data.tags[TAG_STAGE] for run in MlflowClient().search_runs(["1"])]
    assert stages.count("rollback") == 1


def test_candidate_has_no_gate(data: str) -> None:
    with pytest.raises(ConfigError, match="alias: found candidate, which is always of the newest"):
        register.run(Register(run=trained(data), name="m", alias="candidate"))
    assert not MlflowClient().search_registered_models()


@pytest.mark.parametrize(
    ("entry", "arguments", "message"),
    [
        (Register, ["--run", "x", "--metric", "f1"], "parameter 'metric'"),
        (Register, ["--run", "x", "--margin", "-0.1"], "parameter 'margin'"),
        (Rollback, ["--to", "0"], "parameter 'to'"),
    ],
)
def test_bad_values_are_named(entry: type, arguments: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse(entry, arguments)
