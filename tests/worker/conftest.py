"""The small real models of the scoring tests."""

from scoring_models import models, training

__all__ = ["models", "training"]
