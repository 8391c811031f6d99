"""Find runs among any number: one page of those that match, in order, and how many there are.

A database is asked in SQL of our own, since MLflow counts nothing and, on SQLite, sorts 10,000
runs by a measure in 18 s (its join is quadratic). A tracking server is asked by MLflow's filter.
"""

from dataclasses import dataclass

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import ViewType
from mlflow.utils.search_utils import SearchUtils

from latentlaw.tracking.reading.queries import run_table, runs_by_id
from latentlaw.tracking.reading.run_query import Condition, Order, RunQuery, conditions
from latentlaw.tracking.reading.search_sql import is_database, matching_ids
from latentlaw.tracking.store.failures import reading, store_exists
from latentlaw.tracking.store.paging import experiment_names

#: The longest page that a caller may ask for.
MOST_ROWS = 200


@dataclass(frozen=True)
class Found:
    """A page of runs (as `list_runs` gives them), and of how many; None: more than are here."""

    runs: pd.DataFrame
    total: int | None


def find_runs(tracking_uri: str, query: RunQuery, *, offset: int = 0, limit: int = 50) -> Found:
    """Find the runs that match, `limit` of them from the `offset`-th on.

    Raises
    ------
    DataError
        When the store cannot be read.
    """
    if not store_exists(tracking_uri):
        return Found(run_table([]), 0)
    limit = min(limit, MOST_ROWS)
    asked = conditions(query)
    with reading(tracking_uri):
        client = MlflowClient(tracking_uri=tracking_uri)
        names = experiment_names(client)
        within = [key for key, name in names.items() if query.experiment in ("", name)]
        if is_database(tracking_uri):
            ids, total = matching_ids(
                tracking_uri, within, asked, query.order, offset=offset, limit=limit
            )
            return Found(runs_by_id(tracking_uri, ids), total)
        page = client.search_runs(
            within,
            filter_string=as_filter(asked),
            run_view_type=ViewType.ACTIVE_ONLY,
            max_results=limit,
            order_by=[_order_by(query.order)],
            page_token=SearchUtils.create_page_token(offset) if offset else None,
        )
    return Found(run_table(page, names), None if page.token else offset + len(page))


def as_filter(asked: list[Condition]) -> str:
    """Write conditions in MLflow's language of filters, which has no escapes.

    A quote in a value becomes `_`, the pattern of any one character; a backtick in a key is gone.
    """
    return " AND ".join(_clause(condition) for condition in asked)


def _clause(condition: Condition) -> str:
    kind, key, operator, value = condition
    named = f"{kind}.`{key.replace('`', '')}`"
    if operator.endswith("NULL"):
        return f"{named} {operator}"
    return f"{named} {operator} {quoted(value) if isinstance(value, str) else value}"


def quoted(text: str) -> str:
    """Quote a value for a filter of MLflow, which has no escapes.

    Of a text with both quotes one becomes the character that in LIKE stands for any.
    """
    mark = "'" if "'" not in text else '"'
    return mark + text.replace(mark, "_") + mark


def _order_by(order: Order) -> str:
    return f"{order.kind}.`{order.key}` {'ASC' if order.ascending else 'DESC'}"
