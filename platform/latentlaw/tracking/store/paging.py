"""Runs that a filter finds, over as many of MLflow's pages as they fill."""

from collections.abc import Sequence

from mlflow import MlflowClient
from mlflow.entities import Run

_PAGE = 1000
_MOST_EXPERIMENTS = 1000


def experiment_names(client: MlflowClient) -> dict[str, str]:
    """Return the names of the experiments, at most a thousand, by their ids."""
    found = client.search_experiments(max_results=_MOST_EXPERIMENTS)
    return {each.experiment_id: each.name for each in found}


def newest_runs(
    client: MlflowClient,
    query: str,
    *,
    experiments: Sequence[str] | None = None,
    limit: int | None = None,
) -> list[Run]:
    """Return the runs that are not deleted and match, newest first.

    Parameters
    ----------
    client
        Of the store of runs.
    query
        In MLflow's language of filters; empty: all.
    experiments
        Ids of experiments; None: all.
    limit
        Most runs to return; None: all.
    """
    within = list(experiment_names(client) if experiments is None else experiments)
    runs: list[Run] = []
    token = None
    while within and (limit is None or len(runs) < limit):
        page = client.search_runs(
            within,
            filter_string=query,
            max_results=_PAGE if limit is None else min(_PAGE, limit - len(runs)),
            order_by=["attributes.start_time DESC"],
            page_token=token,
        )
        runs += page
        token = page.token
        if not token:
            break
    return runs
