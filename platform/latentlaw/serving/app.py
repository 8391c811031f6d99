"""The scoring server: MLflow's routes, with bounds on what one client can do to the others.

`mlflow models serve` answers the same `inputs`; this server adds packed values, latents, errors
that name the field, and limits on the size, time and number of requests.
"""

import asyncio
import json
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Protocol

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

import latentlaw
from latentlaw.errors import DataError
from latentlaw.serving.requests import NotFiniteError, Request, TooManyError, read_request

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


class Servable(Protocol):
    """A model that answers requests."""

    @property
    def image_shape(self) -> tuple[int, ...] | None:
        """`(c, [z,] y, x)` of the images that it takes; None: it takes latents only."""
        ...

    @property
    def latent_dims(self) -> int:
        """Latents per particle."""
        ...

    @property
    def class_names(self) -> tuple[str, ...]:
        """Classes in the order of their probabilities."""
        ...

    def respond(self, request: Request) -> list[dict[str, Any]]:
        """Return one record per particle."""
        ...


@dataclass(frozen=True)
class Limits:
    """What a server grants its clients together and each of them.

    Attributes
    ----------
    hosts
        Names by which clients may call the server, without port.
    body_bytes
        Of a request's body.
    particles
        In one request.
    requests
        That are read or answered at once; one computes, since it takes all cores.
    body_s
        Seconds in which a body must have arrived.
    """

    hosts: tuple[str, ...] = LOOPBACK
    body_bytes: int = 64 * 2**20
    particles: int = 4096
    requests: int = 8
    body_s: float = 30.0

    def of_host(self, host: str) -> "Limits":
        """Return the limits of a server that is bound to `host` as well."""
        return replace(self, hosts=tuple(dict.fromkeys((*self.hosts, host))))


class RefusedError(Exception):
    """A request that is answered by a status and a message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


Handler = Callable[[HttpRequest], Awaitable[Response]]


@dataclass
class _Server:
    model: Servable
    limits: Limits
    busy: int = 0
    # One thread: a second request would share the cores of the first, and its memory.
    worker: ThreadPoolExecutor = field(default_factory=partial(ThreadPoolExecutor, max_workers=1))

    async def ping(self, request: HttpRequest) -> Response:
        self._check_caller(request)
        return Response("\n", media_type="application/json")

    async def version(self, request: HttpRequest) -> Response:
        self._check_caller(request)
        return Response(latentlaw.__version__, media_type="text/plain")

    async def describe(self, request: HttpRequest) -> Response:
        """Say what the model takes and tells apart."""
        self._check_caller(request)
        shape, latents = self.model.image_shape, self.model.latent_dims
        return _json(
            {
                "inputs": None if shape is None else ["n", *shape],
                "latents": ["n", latents],
                "classes": list(self.model.class_names),
            }
        )

    async def invocations(self, request: HttpRequest) -> Response:
        self._check_caller(request)
        self._check_type(request)
        if self.busy >= self.limits.requests:
            raise RefusedError(429, f"{self.busy} requests are in work; try again in a second")
        self.busy += 1
        try:
            body = await self._body(request)
            loop = asyncio.get_running_loop()
            content = await loop.run_in_executor(self.worker, self._answer, body)
        finally:
            self.busy -= 1
        return Response(content, media_type="application/json")

    def _answer(self, body: bytes) -> str:
        request = read_request(
            body,
            image_shape=self.model.image_shape,
            latent_dims=self.model.latent_dims,
            most=self.limits.particles,
        )
        return json.dumps({"predictions": self.model.respond(request)}, allow_nan=False)

    async def _body(self, request: HttpRequest) -> bytes:
        most = self.limits.body_bytes
        said = request.headers.get("content-length", "0")
        if said.isdecimal() and int(said) > most:
            raise RefusedError(413, _too_large(int(said), most))
        parts, size = [], 0
        try:
            async with asyncio.timeout(self.limits.body_s):
                async for part in request.stream():
                    size += len(part)
                    if size > most:
                        raise RefusedError(413, _too_large(size, most))
                    parts.append(part)
        except TimeoutError:
            raise RefusedError(
                408,
                f"body: found {size} bytes after {self.limits.body_s:g} s, expected it whole",
            ) from None
        return b"".join(parts)

    def _check_caller(self, request: HttpRequest) -> None:
        """Refuse what a page of another site, or a name that was bent to this address, sends."""
        host = request.headers.get("host", "")
        if _without_port(host) not in self.limits.hosts:
            raise RefusedError(403, f"Host: found {host[:80]!r}, expected a name of this server")
        origin = request.headers.get("origin")
        if origin is not None and origin.partition("://")[2] != host:
            raise RefusedError(
                403, f"Origin: found {origin[:80]!r}, expected none or a name of this server"
            )

    @staticmethod
    def _check_type(request: HttpRequest) -> None:
        found = request.headers.get("content-type", "")
        kind, _, parameters = found.partition(";")
        charset = parameters.strip().casefold()
        if kind.strip().casefold() != "application/json" or charset not in ("", "charset=utf-8"):
            raise RefusedError(
                415, f"Content-Type: found {found[:80]!r}, expected application/json"
            )


def create_app(model: Servable, limits: Limits | None = None) -> Starlette:
    """Return the ASGI application that serves a model.

    `POST /invocations` answers `{"predictions": [record, …]}`; `GET /` says what the model takes;
    `GET /ping`, `/health` and `/version` are as MLflow's. An error is `{"error": message}` with
    400 (not a request that `read_request` reads), 403 (Host or Origin of others), 408, 413, 415,
    422 (NaN or infinite values) or 429.
    """
    server = _Server(model, limits or Limits())

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        server.worker.shutdown(cancel_futures=True)

    return Starlette(
        routes=[
            Route("/", server.describe),
            Route("/ping", server.ping),
            Route("/health", server.ping),
            Route("/version", server.version),
            Route("/invocations", server.invocations, methods=["POST"]),
        ],
        exception_handlers={
            RefusedError: _refused,
            DataError: _unfit,
            ClientDisconnect: _gone,
        },
        lifespan=lifespan,
    )


def serve(model: Servable, host: str, port: int, limits: Limits) -> None:
    """Serve a model until the process is told to stop."""
    uvicorn.run(
        create_app(model, limits), host=host, port=port, log_level="warning", server_header=False
    )


async def _refused(request: HttpRequest, error: Exception) -> Response:
    status = error.status if isinstance(error, RefusedError) else 400
    # What is left of the body is not read, so the connection cannot go on.
    return _json({"error": str(error)}, status, {"connection": "close", "retry-after": "1"})


async def _unfit(request: HttpRequest, error: Exception) -> Response:
    status = 400
    if isinstance(error, NotFiniteError):
        status = 422
    elif isinstance(error, TooManyError):
        status = 413
    return _json({"error": str(error)}, status)


async def _gone(request: HttpRequest, error: Exception) -> Response:
    return Response(status_code=400)  # nobody reads it


def _json(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    text = json.dumps(content, allow_nan=False)
    return Response(text, status, headers, media_type="application/json")


def _too_large(found: int, most: int) -> str:
    return (
        f"body: {math.ceil(found / 2**20)} MiB, expected at most {most / 2**20:g} MiB; send "
        "batches, packed values (b64, shape, dtype), or use the entry predict"
    )


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdecimal() else host).casefold()
