"""Row 60: huge bodies, 10^5 instances, slow clients: refused, memory bounded, others served."""

import http.client
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.bundles import ScoringServer

LATENTS = {"latents": [[0.0] * 8]}
MIB = 2**20


@contextmanager
def half_a_request(server: ScoringServer, said: int) -> Iterator[socket.socket]:
    """Send the head of a request of `said` bytes and one byte of its body."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as sent:
        sent.sendall(
            f"POST /invocations HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {said}\r\n\r\n{{".encode()
        )
        yield sent


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ")[1])


def test_body_of_a_gigabyte_is_refused_before_it_is_sent(scoring_server: ScoringServer) -> None:
    before = scoring_server.resident_bytes()
    with half_a_request(scoring_server, 10**9) as sent:
        assert status_of(sent.recv(4096)) == 413
    assert scoring_server.resident_bytes() - before < 20 * MIB


def test_body_that_does_not_say_its_size_is_cut(scoring_server: ScoringServer) -> None:
    before = scoring_server.resident_bytes()
    connection = http.client.HTTPConnection("127.0.0.1", scoring_server.port, timeout=30)
    connection.putrequest("POST", "/invocations")
    connection.putheader("content-type", "application/json")
    connection.putheader("transfer-encoding", "chunked")
    connection.endheaders()
    part = b"%x\r\n" % MIB + b" " * MIB + b"\r\n"
    try:
        for _ in range(1000):
            connection.send(part)
    except OSError:
        pass  # it hung up, as it should
    else:
        raise AssertionError("a gigabyte was taken")
    assert scoring_server.resident_bytes() - before < 50 * MIB
    assert scoring_server.post(LATENTS)[0] == 200


def test_hundred_thousand_instances_are_refused(scoring_server: ScoringServer) -> None:
    zeros = b"[0,0,0,0,0,0,0,0]"
    body = b'{"latents": [' + b",".join([b"[0]"] * 100_000) + b"]}"
    assert len(body) < MIB
    status, content = scoring_server.post(body)
    assert status == 413
    assert "found 100000 particles, expected at most 100 per request" in content["error"]
    assert scoring_server.post(b'{"latents": [' + b",".join([zeros] * 100) + b"]}")[0] == 200


def test_slow_client_is_timed_out_and_others_are_served(scoring_server: ScoringServer) -> None:
    with half_a_request(scoring_server, 1000) as slow:
        start = time.monotonic()
        assert scoring_server.post(LATENTS)[0] == 200
        assert time.monotonic() - start < 1.5
        assert status_of(slow.recv(4096)) == 408
        assert time.monotonic() - start > 1.5


def test_more_requests_than_are_taken_at_once(scoring_server: ScoringServer) -> None:
    with (
        half_a_request(scoring_server, 1000),
        half_a_request(scoring_server, 1000),
        half_a_request(scoring_server, 1000),
    ):
        time.sleep(0.3)
        status, content = scoring_server.post(LATENTS)
        assert status == 429
        assert "try again" in content["error"]
    time.sleep(0.3)
    assert scoring_server.post(LATENTS)[0] == 200
