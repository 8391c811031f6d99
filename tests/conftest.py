"""Fixtures that every test may use."""

from pathlib import Path

import pytest
from hypothesis import settings

# The first example of a test pays for imports; time says nothing here.
settings.register_profile("latentlaw", deadline=None, derandomize=True)
settings.load_profile("latentlaw")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real inputs, which is beside the repository and not in it."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"real inputs are not at {folder}; see docs for what they are")
    return folder
