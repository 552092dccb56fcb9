"""Problems of aliases of models."""

from rowcast.client.errors import Conflict


class AliasMoved(Conflict):
    """The alias names another version than the one that was expected."""
