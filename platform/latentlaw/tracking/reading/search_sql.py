"""The runs of a database that meet conditions, in SQL: ids in order, and the count."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from mlflow.store.tracking.dbmodels.models import (
    SqlDataset,
    SqlInput,
    SqlLatestMetric,
    SqlRun,
    SqlTag,
)
from sqlalchemy import Engine, and_, create_engine, exists, func, select
from sqlalchemy.pool import NullPool

if TYPE_CHECKING:
    from collections.abc import Sequence

    from latentlaw.tracking.reading.run_query import Condition, Order

_SQLITE = "sqlite:///"
_DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
_COLUMNS = {"run_id": SqlRun.run_uuid, "run_name": SqlRun.name, "status": SqlRun.status}


def is_database(tracking_uri: str) -> bool:
    """Tell whether a tracking URI names a database rather than a server or a folder."""
    return tracking_uri.split(":", 1)[0].split("+")[0] in _DATABASES


def matching_ids(
    tracking_uri: str,
    experiments: Sequence[str],
    conditions: Sequence[Condition],
    order: Order,
    *,
    offset: int,
    limit: int,
) -> tuple[list[str], int]:
    """Return the ids of a page of the runs that meet all conditions, and how many meet them.

    Raises
    ------
    SQLAlchemyError
        When the database does not answer, or its tables are not MLflow's.
    """
    where = and_(
        SqlRun.experiment_id.in_([int(key) for key in experiments]),
        SqlRun.lifecycle_stage == "active",
        *(_meets(condition) for condition in conditions),
    )
    page = select(SqlRun.run_uuid)
    column: Any = SqlRun.name if order.key == "run_name" else SqlRun.start_time
    if order.kind == "metrics":
        page = page.outerjoin(
            SqlLatestMetric,
            and_(
                SqlLatestMetric.run_uuid == SqlRun.run_uuid,
                SqlLatestMetric.key == order.key,
                SqlLatestMetric.is_nan.is_(False),
            ),
        )
        column = SqlLatestMetric.value
    first = column.asc() if order.ascending else column.desc()
    page = page.where(where).order_by(
        column.is_(None), first, SqlRun.start_time.desc(), SqlRun.run_uuid
    )
    with _engine(tracking_uri).connect() as connection:
        total = connection.scalar(select(func.count()).select_from(SqlRun).where(where)) or 0
        ids = connection.scalars(page.offset(offset).limit(limit)).all()
    return list(ids), total


def _meets(condition: Condition) -> Any:
    kind, key, operator, value = condition
    if kind == "attributes":
        return _compares(_COLUMNS[key], operator, value)
    if kind == "datasets":
        return exists().where(
            SqlInput.destination_type == "RUN",
            SqlInput.destination_id == SqlRun.run_uuid,
            SqlInput.source_type == "DATASET",
            SqlInput.source_id == SqlDataset.dataset_uuid,
            _compares(SqlDataset.name, operator, value),
        )
    table: Any = SqlTag if kind == "tags" else SqlLatestMetric
    own = exists().where(table.run_uuid == SqlRun.run_uuid, table.key == key)
    if operator == "IS NULL":
        return ~own
    if operator == "IS NOT NULL":
        return own
    if kind == "metrics":
        own = own.where(SqlLatestMetric.is_nan.is_(False))
    return own.where(_compares(table.value, operator, value))


def _compares(column: Any, operator: str, value: str | float) -> Any:
    match operator:
        case "=":
            return column == value
        case "!=":
            return column != value
        case "<=":
            return column <= value
        case ">=":
            return column >= value
        case _:
            return column.ilike(value)


@lru_cache(maxsize=4)
def _engine(tracking_uri: str) -> Engine:
    """Open a database; SQLite read-only, and closed after each question, so that no lock stays."""
    if not tracking_uri.startswith(_SQLITE):
        return create_engine(tracking_uri, pool_pre_ping=True, pool_size=2)
    path = quote(tracking_uri.removeprefix(_SQLITE).split("?")[0])
    return create_engine(f"{_SQLITE}file:{path}?mode=ro&uri=true", poolclass=NullPool)
