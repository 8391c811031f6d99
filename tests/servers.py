"""Real servers on the loopback address, which tests stop, kill and start again."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

_START_S = 120


def free_port() -> int:
    """Return a port of the loopback address that is free now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def answers(url: str) -> bool:
    """Tell whether a URL is served, whatever the answer."""
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:
        return False


class Server:
    """A process group that logs to a file, and is up once `is_up` says so."""

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        is_up: Callable[[], bool],
        *,
        environment: Mapping[str, str] | None = None,
        user: str | None = None,
    ) -> None:
        self._command, self._log, self._is_up = command, log, is_up
        self._environment, self._user = environment or {}, user
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server and wait until it is up."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._log.parent,
                env={**os.environ, **self._environment},
                stdout=log,
                stderr=log,
                start_new_session=True,
                user=self._user,
            )
        end = time.monotonic() + _START_S
        while not self._is_up():
            assert self._process.poll() is None, self.log[-2000:]
            assert time.monotonic() < end, f"it does not start: {self.log[-2000:]}"
            time.sleep(0.2)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the server and its workers."""
        assert self._process is not None
        os.killpg(self._process.pid, number)

    @property
    def log(self) -> str:
        """What it has printed."""
        return self._log.read_text()

    def wait(self) -> int:
        """Wait until the server has ended; return its exit code."""
        assert self._process is not None
        return self._process.wait(_START_S)

    def kill(self) -> None:
        """End the server as a crash does."""
        if self._process is not None:
            with suppress(ProcessLookupError):  # it has ended by itself
                self.send(signal.SIGKILL)
            self._process.wait()
            self._process = None


class MlflowServer(Server):
    """`mlflow server` on a store and a folder of artifacts that outlive it."""

    def __init__(
        self,
        store_uri: str,
        folder: Path,
        *,
        options: Sequence[str] = ("--workers", "1", "--serve-artifacts"),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.port = free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        super().__init__(
            [sys.executable, "-m", "mlflow", "server", *options, "--port", str(self.port)],
            folder / "server.log",
            lambda: answers(f"{self.uri}/health"),
            environment={
                "MLFLOW_TRACKING_URI": "",
                "MLFLOW_DISABLE_TELEMETRY": "true",
                "MLFLOW_BACKEND_STORE_URI": store_uri,
                "MLFLOW_ARTIFACTS_DESTINATION": str(folder / "artifacts"),
                **(environment or {}),
            },
        )


class Postgres(Server):
    """PostgreSQL with a database and a user `mlflow`, in a folder of its own.

    It refuses to run as root, so a root runs it as the user that its package makes.
    """

    PASSWORD = secrets.token_hex(8)

    def __init__(self) -> None:
        programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version)
        if not programs:
            pytest.skip("PostgreSQL is not installed (Debian's package postgresql)")
        self._programs = programs[-1]
        self._owner = "postgres" if os.getuid() == 0 else None
        self.port = free_port()
        self._folder = Path(tempfile.mkdtemp(prefix="latentlaw-postgres-"))
        (self._folder / "password").write_text(self.PASSWORD)
        (self._folder / "log").touch()
        if self._owner:
            for path in (self._folder, *self._folder.iterdir()):
                shutil.chown(path, self._owner)
        data = str(self._folder / "data")
        initdb = [str(self._programs / "initdb"), "--pgdata", data, "--username", "mlflow"]
        initdb += ["--auth", "scram-sha-256", "--pwfile", str(self._folder / "password")]
        subprocess.run(
            [*initdb, "--no-sync"],
            check=True,
            user=self._owner,
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
        )
        super().__init__(
            [
                *(str(self._programs / "postgres"), "-D", data, "-k", str(self._folder)),
                *("-h", "127.0.0.1", "-p", str(self.port), "-c", "fsync=off"),
            ],
            self._folder / "log",
            lambda: self.run("pg_isready", "--username", "mlflow", check=False).returncode == 0,
            user=self._owner,
        )

    def run(
        self, program: str, *arguments: str, check: bool = True, given: bytes | None = None
    ) -> "subprocess.CompletedProcess[bytes]":
        """Run one of PostgreSQL's programs against it; return what it printed."""
        return subprocess.run(
            [str(self._programs / program), *arguments],
            check=check,
            input=given,
            stdout=subprocess.PIPE,
            env={
                **os.environ,
                "PGHOST": "127.0.0.1",
                "PGPORT": str(self.port),
                "PGPASSWORD": self.PASSWORD,
            },
        )

    def uri(self, database: str = "mlflow") -> str:
        """Return the URI of a database, as SQLAlchemy takes it."""
        server = f"127.0.0.1:{self.port}"
        return f"postgresql+psycopg://mlflow:{self.PASSWORD}@{server}/{database}"

    def remove(self) -> None:
        """End it, and remove its folder."""
        self.kill()
        shutil.rmtree(self._folder)


def _version(programs: Path) -> int:
    return int(programs.parent.name)
