"""Row 61: forged Host, cross-origin, pickle: refused; the server binds the loopback address."""

import pickle

import psutil
import pytest

from tests.bundles import ScoringServer

LATENTS = {"latents": [[0.0] * 8]}


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", ""])
def test_forged_host(scoring_server: ScoringServer, host: str) -> None:
    status, content = scoring_server.post(LATENTS, host=host)
    assert status == 403
    assert content["error"].startswith("Host: found")


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1"])
def test_pages_of_other_sites(scoring_server: ScoringServer, origin: str) -> None:
    status, content = scoring_server.post(LATENTS, origin=origin)
    assert status == 403
    assert content["error"].startswith("Origin:")


def test_page_of_its_own(scoring_server: ScoringServer) -> None:
    origin = f"http://127.0.0.1:{scoring_server.port}"
    assert scoring_server.post(LATENTS, origin=origin)[0] == 200


@pytest.mark.parametrize(
    "kind",
    [
        "application/python-pickle",
        "application/octet-stream",
        "text/plain",
        "application/json; x=1",
    ],
)
def test_other_types(scoring_server: ScoringServer, kind: str) -> None:
    status, content = scoring_server.post(pickle.dumps(LATENTS), content_type=kind)
    assert status == 415
    assert "expected application/json" in content["error"]


def test_it_listens_on_the_loopback_address_only(scoring_server: ScoringServer) -> None:
    assert scoring_server.process_id
    listening = [
        c.laddr.ip
        for c in psutil.Process(scoring_server.process_id).net_connections("inet")
        if c.status == psutil.CONN_LISTEN
    ]
    assert listening == ["127.0.0.1"]
