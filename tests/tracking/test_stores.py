"""Where runs are kept, if they cannot be kept there."""

import pytest
from latentlaw.errors import TrackingError
from latentlaw.tracking.store.experiments import choose_experiment


def test_a_database_that_cannot_be_made_is_one_line_with_the_way_out() -> None:
    with pytest.raises(TrackingError, match=r"kept in /proc/self/mlflow\.db .*; set MLFLOW_TRACK"):
        choose_experiment("sqlite:////proc/self/mlflow.db")
