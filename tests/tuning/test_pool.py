"""Processes that trials are forked from belong to one pool."""

import pytest
from latentlaw.tuning.pool import close_servers, local_pool, trial_server

from tests.tuning.fake_studies import ROOT

PLACE = {"PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}"}


def test_another_pool_has_a_process_of_its_own_and_ends_only_that(tmp_path):
    def server(pool, folder):
        return trial_server(pool, "tests.tuning.fake_trials", str(folder), PLACE)

    with local_pool(1) as pool:
        first = pool.executor.submit(server, "a", tmp_path).result()
        assert pool.executor.submit(server, "a", tmp_path).result() is first
        close_servers("b")
        assert first.alive
        second = pool.executor.submit(server, "b", tmp_path).result()
        assert second is not first
        close_servers("b")
        assert not second.alive
        close_servers("a")
        assert not first.alive


def test_a_folder_that_a_worker_lacks_is_an_error_that_is_told(tmp_path):
    with (
        local_pool(1) as pool,
        pytest.raises(OSError, match="gone"),
    ):
        pool.executor.submit(
            trial_server, "a", "tests.tuning.fake_trials", str(tmp_path / "gone"), PLACE
        ).result()
