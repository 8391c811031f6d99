"""What of infra/ needs no container, run: PostgreSQL, the server, the proxy, Dask, two clients."""

import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from latentlaw.data.extraction.extract import extract_particles
from latentlaw.data.formats.mrc import write_mrc
from latentlaw.data.inspection.validate import validate_tomogram
from latentlaw.data.particles.stack import open_stack
from latentlaw.data.tomograms.ingest import ingest_tomograms

from tests.servers import MlflowServer, Postgres, Server, answers, free_port

pytestmark = pytest.mark.infra

ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"
SERVICES = yaml.safe_load((INFRA / "compose.yaml").read_text())["services"]
USER, PASSWORD = "lab", "s3cret"
EPOCHS = 20


@dataclass(frozen=True)
class Site:
    """What runs, and how a client reaches it."""

    postgres: Postgres
    uri: str
    scheduler: str

    def environment(self) -> dict[str, str]:
        """Return what a user's shell has."""
        return {
            **os.environ,
            "PYTHONPATH": f"{ROOT / 'platform'}:{ROOT}:{os.environ.get('PYTHONPATH', '')}",
            "MLFLOW_TRACKING_URI": self.uri,
            "MLFLOW_TRACKING_USERNAME": USER,
            "MLFLOW_TRACKING_PASSWORD": PASSWORD,
        }

    def client(self, folder: Path, entry: str, **parameters: object) -> "subprocess.Popen[str]":
        """Start an entry point from a folder."""
        options = [part for k, v in parameters.items() for part in (f"--{k}", str(v))]
        return subprocess.Popen(
            [sys.executable, "-m", f"pipelines.{entry}", *options],
            cwd=folder,
            env=self.environment(),
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    pytest.importorskip("psycopg", reason="the extra `infra` is not installed (make test-infra)")
    folder = tmp_path_factory.mktemp("site")
    postgres = Postgres()
    running: list[Server] = []

    def up(server: Server) -> None:
        running.append(server)
        server.start()

    try:
        up(postgres)
        postgres.run("createdb", "--username", "mlflow", "mlflow")
        front = free_port()
        options = SERVICES["mlflow"]["command"][2:]
        options[options.index("--workers") + 1] = "2"
        mlflow = MlflowServer(
            postgres.uri(),
            folder,
            options=options,
            environment={"MLFLOW_SERVER_ALLOWED_HOSTS": f"mlflow:5000,127.0.0.1:{front}"},
        )
        up(mlflow)
        up(proxy(folder, front, mlflow.port))
        scheduler = free_port()
        for server in dask(folder, scheduler):
            up(server)
        yield Site(postgres, f"http://127.0.0.1:{front}", f"tcp://127.0.0.1:{scheduler}")
    finally:
        for server in reversed(running):
            server.kill()
        postgres.remove()


def proxy(folder: Path, front: int, mlflow: int) -> Server:
    """Return the proxy, with the addresses that the services have here."""
    text = (INFRA / "Caddyfile").read_text()
    text = text.replace("mlflow:5000", f"127.0.0.1:{mlflow}")
    text = text.replace("127.0.0.1:8081", f"127.0.0.1:{free_port()}")
    (folder / "Caddyfile").write_text(text)
    hashed = subprocess.run(
        ["caddy", "hash-password", "--plaintext", PASSWORD], capture_output=True, check=True
    ).stdout
    return Server(
        ["caddy", "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")],
        folder / "proxy.log",
        lambda: answers(f"http://127.0.0.1:{front}/health"),
        environment={
            "HOME": str(folder),
            "LATENTLAW_HOST": f"http://127.0.0.1:{front}",
            "LATENTLAW_USER": USER,
            "LATENTLAW_PASSWORD_HASH": hashed.decode().strip(),
        },
    )


def dask(folder: Path, port: int) -> Iterator[Server]:
    """Yield a scheduler and two commands of two workers, as the compose file starts them."""
    pages = free_port()
    command = [sys.executable, "-m", *SERVICES["dask-scheduler"]["command"]]
    command[command.index("--port") + 1] = str(port)
    command[command.index("--dashboard-address") + 1] = f"127.0.0.1:{pages}"
    yield Server(
        [*command, "--host", "127.0.0.1"],
        folder / "scheduler.log",
        lambda: answers(f"http://127.0.0.1:{pages}/health"),
    )
    for number in range(2):
        pages = free_port()
        worker = [re.sub(r"\$\{\w+:-(.*)\}", r"\1", p) for p in SERVICES["dask-worker"]["command"]]
        worker[worker.index("tcp://dask-scheduler:8786")] = f"tcp://127.0.0.1:{port}"
        worker[worker.index("--nworkers") + 1] = "2"
        worker[worker.index("--dashboard-address") + 1] = "127.0.0.1:0"
        log = folder / f"worker{number}.log"
        yield Server(
            [sys.executable, "-m", *worker, "--host", "127.0.0.1"],
            log,
            lambda log=log: log.exists() and log.read_text().count("Registered to") == 2,
            environment={"PYTHONPATH": f"{ROOT / 'platform'}:{os.environ.get('PYTHONPATH', '')}"},
        )


def done(process: "subprocess.Popen[str]") -> None:
    _, told = process.communicate(timeout=240)
    assert process.returncode == 0, told


def rows(
    site: Site, query: str, *values: object, database: str = "mlflow"
) -> list[tuple[object, ...]]:
    import psycopg

    uri = site.postgres.uri(database).replace("+psycopg", "")
    with psycopg.connect(uri) as connection:
        return connection.execute(query, values).fetchall()


def counts(site: Site, tables: tuple[str, ...], database: str) -> dict[str, int]:
    return {table: len(rows(site, f"table {table}", database=database)) for table in tables}


def test_nobody_enters_without_the_password(site: Site) -> None:
    for path in ("/", "/api/2.0/mlflow/experiments/search", "/dashboard/"):
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(f"{site.uri}{path}", timeout=5)


def test_workers_of_a_cluster_make_what_threads_make(site: Site, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for name in ("a", "b"):
        volume = random.normal(size=(40, 64, 64)).astype(np.float32)
        write_mrc(tmp_path / "mrc" / f"{name}.mrc", volume, 10.0)
    table = pd.DataFrame(random.uniform(100, 300, size=(60, 3)), columns=list("zyx"))
    table.insert(0, "tomogram", ["a", "b"] * 30)
    table.to_csv(tmp_path / "particles.csv", index=False)
    own = {"source": tmp_path / "mrc", "chunk": 16, "shard": 32}
    done(site.client(tmp_path, "ingest", **own, out="far", scheduler=site.scheduler))
    cut = {"tomograms": "far", "coordinates": "particles.csv", "box": 8}
    far = "far.particles.zarr"
    done(site.client(tmp_path, "extract", **cut, out=far, scheduler=site.scheduler))
    ingest_tomograms(tmp_path / "mrc", tmp_path / "near", chunk=16, shard=32, scheduler="threads")
    near = tmp_path / "near.particles.zarr"
    extract_particles(
        tmp_path / "near", tmp_path / "particles.csv", near, box=8, scheduler="threads"
    )
    for store in (tmp_path / "far").iterdir():
        assert validate_tomogram(store) == []
    mine, theirs = open_stack(near), open_stack(tmp_path / far)
    assert len(theirs.table) == 60
    np.testing.assert_array_equal(theirs.images[:], mine.images[:])
    assert theirs.digest == mine.digest


def test_two_clients_train_at_once(site: Site, tmp_path: Path) -> None:
    from latentlaw.data.particles.writer import new_stack

    with new_stack(tmp_path / "s.particles.zarr", item_shape=(1, 8, 8)) as writer:
        table = pd.DataFrame({"label": ["a", "b"] * 20, "group": np.arange(40).astype(str)})
        writer.append(np.random.default_rng(0).normal(size=(40, 1, 8, 8)), table)
    own = {"data": "s.particles.zarr", "model": "beta-vae", "channels": 2, "epochs": EPOCHS}
    clients = [site.client(tmp_path, "train", **own, seed=seed, device="cpu") for seed in (1, 2)]
    for client in clients:
        done(client)
    runs = rows(
        site,
        "select run_uuid, p.value, status, artifact_uri from runs join params p using (run_uuid) "
        "where p.key = 'seed' and run_uuid in "
        "(select run_uuid from tags where key = 'latentlaw.stage' and value = 'train')",
    )
    assert sorted(seed for _, seed, _, _ in runs) == ["1", "2"]
    assert {status for _, _, status, _ in runs} == {"FINISHED"}
    assert all(str(uri).startswith("mlflow-artifacts:/") for *_, uri in runs)
    for run_id, *_ in runs:
        counts = rows(
            site,
            "select key, count(*), count(distinct step) from metrics "
            "where key ~ '^(train|val)/(loss|kl)$' and run_uuid = %s group by key",
            run_id,
        )
        assert sorted(counts) == [
            (f"{split}/{term}", EPOCHS, EPOCHS)
            for split in ("train", "val")
            for term in ("kl", "loss")
        ]
    # Back from the server: artifacts go through the proxy and the server both ways.
    done(site.client(tmp_path, "evaluate", model=runs[0][0], data="s.particles.zarr"))


def test_backup_restores_and_migrates(site: Site) -> None:
    """Run the README's commands, but for the container that they run in."""
    text = (ROOT / "docs" / "cluster.md").read_text()
    found = re.findall(r"docker compose exec -T postgres (\w+) ([^\n<>]*)", text)
    programs = {program: arguments.split() for program, arguments in found}
    assert list(programs) == ["pg_dump", "dropdb", "createdb", "pg_restore"]
    tables = ("runs", "metrics", "params", "tags", "latest_metrics", "inputs")
    before = counts(site, tables, "mlflow")
    dump = site.postgres.run("pg_dump", *programs["pg_dump"]).stdout
    for program in ("dropdb", "createdb", "pg_restore"):  # into another, beside the one in use
        arguments = ["restored" if each == "mlflow" else each for each in programs[program]]
        arguments[arguments.index("--username") + 1] = "mlflow"
        site.postgres.run(program, *arguments, given=dump)
    upgrade = re.search(r"(mlflow db upgrade) \"\$MLFLOW_BACKEND_STORE_URI\"", text)
    assert upgrade is not None
    subprocess.run(
        [sys.executable, "-m", *upgrade[1].split(), site.postgres.uri("restored")], check=True
    )
    assert counts(site, tables, "restored") == before
    assert before["runs"] > 0
