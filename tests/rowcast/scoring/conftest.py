"""The small real models that scoring is tried with. Numbers are read by compiled code, as in a worker."""

import pytest
from scoring_models import models, training

from rowcast.csv import number_cells

__all__ = ["models", "training"]


@pytest.fixture(autouse=True, scope="package")
def _compiled_functions() -> None:
    number_cells.load()
