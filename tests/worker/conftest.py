"""The small real models that scoring is tried with."""

from scoring_models import models, training

__all__ = ["models", "training"]
