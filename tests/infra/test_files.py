"""The files of infra/ are sound, and say what the code says: commands, ports, options."""

import os
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from latentlaw.errors import LatentlawError, PreemptedError
from latentlaw.tracking.names import SPOOL_VARIABLE
from latentlaw.training.ranks import joined

from pipelines.cli.mlproject import entry_class
from pipelines.cli.parameters import parse

ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"
COMPOSE: dict[str, Any] = yaml.safe_load((INFRA / "compose.yaml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = [name for name, s in SERVICES.items() if str(s["image"]).startswith("latentlaw:")]
KUBERNETES: list[dict[str, Any]] = [
    document
    for path in sorted((INFRA / "kubernetes").glob("*.yaml"))
    for document in yaml.safe_load_all(path.read_text())
]
#: As `caddy hash-password` prints it.
BCRYPT = "$2a$14$Zkx19XLiW6VYouLHR5NmfOFU0z2GTNmpkT/5qqR7hx4IjWJPDhjvG"
#: Variables that are read by what is not ours: SQL and S3 clients, PostgreSQL, MinIO, numerics.
FOREIGN = {
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_DEFAULT_REGION",
    "MLFLOW_S3_ENDPOINT_URL",
    "POSTGRES_DB",
    "POSTGRES_USER",
    "POSTGRES_PASSWORD",
    "MINIO_ROOT_USER",
    "MINIO_ROOT_PASSWORD",
    "OMP_NUM_THREADS",
}


def lint(*command: str, **environment: str) -> None:
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def commands() -> Iterator[list[str]]:
    """Yield each command of the compose file and the Kubernetes templates."""
    for service in SERVICES.values():
        if "command" in service:
            yield [re.sub(r"\$\{\w+:-(.*)\}", r"\1", part) for part in service["command"]]
    for document in KUBERNETES:
        yield from _commands_in(document)


def _commands_in(value: object) -> Iterator[list[str]]:
    if isinstance(value, dict):
        for key in ("args", "command"):
            if key in value:
                yield value[key]
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _commands_in(item)


def entry_commands() -> Iterator[tuple[str, list[str]]]:
    """Yield name and arguments of each entry point that the README and templates start."""
    text = (ROOT / "docs" / "cluster.md").read_text()
    for name, arguments in re.findall(r"python -m pipelines\.(\w+) ([^\n]+)", text):
        yield name, shlex.split(arguments)
    for arguments in re.findall(r"train\.sbatch (--[^\n…]+)\n", text):
        yield "train", shlex.split(arguments)
    for command in commands():
        if command[0].endswith("train-or-resume"):
            yield "train", command[2:]


@pytest.mark.infra
def test_compose_file_is_of_the_schema() -> None:
    lint("check-jsonschema", "--builtin-schema", "vendor.compose-spec", "infra/compose.yaml")


@pytest.mark.infra
@pytest.mark.parametrize(
    ("folder", "schema"),
    [("ISSUE_TEMPLATE", "github-issue-forms"), ("workflows", "github-workflows")],
)
def test_forms_and_workflows_are_of_their_schemas(folder: str, schema: str) -> None:
    files = sorted(map(str, (ROOT / ".github" / folder).glob("*.yml")))
    lint("check-jsonschema", "--builtin-schema", f"vendor.{schema}", *files)


@pytest.mark.infra
def test_image_and_scripts_pass_their_linters() -> None:
    lint("hadolint", "infra/Dockerfile")
    lint("shellcheck", "infra/train-or-resume", "infra/slurm/train.sbatch", ".ci/run")


@pytest.mark.infra
def test_proxy_takes_its_configuration() -> None:
    lint(
        *("caddy", "validate", "--adapter", "caddyfile", "--config", "infra/Caddyfile"),
        LATENTLAW_HOST="localhost",
        LATENTLAW_USER="lab",
        **{"LATENTLAW_PASSWORD_HASH": BCRYPT},
    )


def test_only_the_proxy_is_reached_from_outside() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["proxy"]
    open_networks = {n for n, v in COMPOSE["networks"].items() if not (v or {}).get("internal")}
    assert open_networks == {"outer"}
    outside = [name for name, s in SERVICES.items() if open_networks & set(s["networks"])]
    assert outside == ["proxy"]
    assert "--requirepass" not in str(COMPOSE)


def test_each_service_that_others_wait_for_says_when_it_is_healthy() -> None:
    for name, service in SERVICES.items():
        for other, wait in service.get("depends_on", {}).items():
            if wait["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[other], (name, other)
    run_on = {n for n, s in SERVICES.items() if s.get("restart") == "unless-stopped"}
    assert {name for name in run_on if "healthcheck" not in SERVICES[name]} == {"dask-worker"}


def test_settings_are_those_of_the_example_and_secrets_have_no_default() -> None:
    text = (INFRA / "compose.yaml").read_text()
    used = set(re.findall(r"\$\{(\w+)", text))
    example = (INFRA / "env.example").read_text()
    listed = set(re.findall(r"^(\w+)=", example, re.MULTILINE))
    assert used - {"S3_IMAGE"} == listed
    for name, rest in re.findall(r"\$\{(\w+)([^}]*)\}", text):
        if re.search("PASSWORD|KEY|USER", name):
            assert rest.startswith(":?"), name
            assert re.search(rf"^{name}=(''|lab)?$", example, re.MULTILINE), name
    proxy = set(re.findall(r"\{\$(\w+)\}", (INFRA / "Caddyfile").read_text()))
    assert proxy == set(SERVICES["proxy"]["environment"])


def test_variables_are_known_to_what_reads_them() -> None:
    from mlflow import environment_variables
    from mlflow.cli import server

    known = FOREIGN | {option.envvar for option in server.params} | {SPOOL_VARIABLE}
    known |= set(dir(environment_variables)) | {
        "MLFLOW_TRACKING_URI",
        "MLFLOW_EXPERIMENT_NAME",
    }
    for name, service in SERVICES.items():
        if name != "proxy":
            assert set(service.get("environment", {})) <= known, name
    (train,) = (d for d in KUBERNETES if d["kind"] == "Job")
    (container,) = train["spec"]["template"]["spec"]["containers"]
    assert {each["name"] for each in container["env"]} <= known
    text = (ROOT / "docs" / "cluster.md").read_text() + (
        INFRA / "slurm" / "train.sbatch"
    ).read_text()
    assert set(re.findall(r"MLFLOW_\w+", text)) <= known


def test_commands_take_their_options() -> None:
    from distributed.cli.dask_scheduler import main as scheduler
    from distributed.cli.dask_worker import main as worker
    from mlflow.cli import server
    from streamlit.config import get_options_for_section

    parsers = {
        ("dask", "scheduler"): scheduler,
        ("dask", "worker"): worker,
        ("mlflow", "server"): server,
    }
    seen = set()
    for command in commands():
        program = tuple(command[:2])
        seen.add(program[0])
        if program in parsers:
            arguments = ["1" if part.startswith("$(") else part for part in command[2:]]
            try:
                parsers[program].make_parser(
                    click.Context(parsers[program], info_name=" ".join(program))
                ).parse_args(list(arguments))
            except click.UsageError as error:
                pytest.fail(f"{command}: {error.message}")
        elif program == ("python", "-m") and command[2] == "dashboards":
            known = {f"--server.{key}" for key in get_options_for_section("server")}
            assert {part for part in command if part.startswith("--")} <= known
        elif program == ("python", "-c"):
            compile(command[2], "bucket", "exec")
    assert seen == {
        "dask",
        "mlflow",
        "python",
        "server",
        "/opt/latentlaw/infra/train-or-resume",
    }


def test_entry_points_take_their_parameters() -> None:
    found = list(entry_commands())
    assert {name for name, _ in found} == {"ingest", "extract", "train"}
    for name, arguments in found:
        parse(entry_class(name), arguments)


def test_tasks_of_a_job_are_told_what_processes_read() -> None:
    read = set(re.findall(r"`([A-Z_]+)`", joined.__doc__ or ""))
    assert {"RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"} < read
    scripts = ("train-or-resume", "slurm/train.sbatch")
    assert read == {
        name
        for script in scripts
        for name in re.findall(
            r"\b([A-Z_]*RANK|WORLD_SIZE|MASTER_[A-Z]+)=", (INFRA / script).read_text()
        )
    }


def test_ports_agree() -> None:
    listening = {
        "mlflow": _after("mlflow", "--port"),
        "dask-scheduler": _after("dask-scheduler", "--port"),
        "dashboard": _after("dashboard", "--server.port"),
        "postgres": "5432",
        "s3": "9000",
    }
    text = (INFRA / "compose.yaml").read_text() + (INFRA / "Caddyfile").read_text()
    text += (ROOT / "docs" / "cluster.md").read_text()
    for host, port in re.findall(rf"\b({'|'.join(listening)}):(\d+)\b(?!-)", text):
        assert listening[host] == port, host
    for name in ("mlflow", "dashboard"):
        assert f"127.0.0.1:{listening[name]}/" in str(SERVICES[name]["healthcheck"])
    dask_pages = _after("dask-scheduler", "--dashboard-address").removeprefix(":")
    assert f"127.0.0.1:{dask_pages}/health" in str(SERVICES["dask-scheduler"]["healthcheck"])
    (cluster,) = (d for d in KUBERNETES if d["kind"] == "DaskCluster")
    (container,) = cluster["spec"]["scheduler"]["spec"]["containers"]
    ports = {p["name"]: str(p["containerPort"]) for p in container["ports"]}
    assert container["args"][container["args"].index("--port") + 1] == ports["tcp-comm"]
    assert f":{ports['http-dashboard']}" in container["args"]
    service = cluster["spec"]["scheduler"]["service"]
    assert {p["targetPort"]: str(p["port"]) for p in service["ports"]} == ports
    health = re.search(r"127\.0\.0\.1:(\d+)/", str(SERVICES["proxy"]["healthcheck"]))
    assert health is not None
    assert f"http://127.0.0.1:{health[1]} {{" in (INFRA / "Caddyfile").read_text()


def _after(service: str, option: str) -> str:
    command = SERVICES[service]["command"]
    return str(command[command.index(option) + 1])


def test_image_holds_what_it_copies_and_what_is_started() -> None:
    text = (INFRA / "Dockerfile").read_text()
    copied = [
        source
        for line in re.findall(r"^COPY (.*)$", text, re.MULTILINE)
        for source in line.split()[:-1]
    ]
    allowed = [
        line[1:]
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    ]
    assert sorted(copied) == sorted(allowed)
    assert all((ROOT / source).exists() for source in copied)
    assert os.access(INFRA / "train-or-resume", os.X_OK)
    assert {"torch-cpu", "torch-cuda"} == set(re.findall(r"FROM base AS (\S+)", text))


def test_lock_holds_what_the_image_needs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lock = (INFRA / "requirements.lock").read_text()
    locked = {line.split("==")[0].lower() for line in lock.splitlines()}
    needed = [*project["dependencies"], *project["optional-dependencies"]["cluster"]]
    names = {re.split(r"[\[<>=]", each)[0].lower() for each in needed}
    assert not names - locked
    assert "psycopg-binary" in locked
    (pin,) = (each for each in project["dependencies"] if each.startswith("torch=="))
    assert lock.splitlines().count(pin) == 1


def test_trainings_on_kubernetes_tell_a_stop_from_a_mistake() -> None:
    (job,) = (d for d in KUBERNETES if d["kind"] == "Job")
    rules = {
        rule["action"]: rule["onExitCodes"]["values"]
        for rule in job["spec"]["podFailurePolicy"]["rules"]
    }
    assert rules == {"Ignore": [PreemptedError.exit_code], "FailJob": [LatentlawError.exit_code]}
    pod = job["spec"]["template"]["spec"]
    claims = {d["metadata"]["name"] for d in KUBERNETES if d["kind"] == "PersistentVolumeClaim"}
    used = {
        v["persistentVolumeClaim"]["claimName"]
        for v in pod["volumes"]
        if "persistentVolumeClaim" in v
    }
    assert used == claims


@pytest.mark.infra
def test_jobs_of_dask_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    import dask
    from dask_jobqueue import SLURMCluster

    settings = yaml.safe_load((INFRA / "slurm" / "jobqueue.yaml").read_text())
    merged = dask.config.merge(dask.config.config, settings)  # as dask reads its files
    with dask.config.set(merged), SLURMCluster() as cluster:
        script = cluster.job_script()
    for line in (
        "#SBATCH -J latentlaw-dask",
        "#SBATCH --cpus-per-task=8",
        "#SBATCH --mem=32G",
        "#SBATCH -t 04:00:00",
        "export OMP_NUM_THREADS=1",
    ):
        assert line in script.splitlines()
    assert "--nthreads 1 --memory-limit 4.00GiB --nworkers 8" in script
    assert "--lifetime 225m --lifetime-stagger 5m" in script
