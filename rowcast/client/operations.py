"""The calls of operators: models and their aliases, pauses, and the keys of receipts."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

from rowcast.client.calls.lookup import find_manifest
from rowcast.client.calls.service_calls import ANY, ServiceCalls
from rowcast.client.http.transport import Transport
from rowcast.client.job import Job
from rowcast.client.upload import Source


class Operations:
    """The part of a client that is not about rows and jobs."""

    def __init__(self, transport: Transport) -> None:
        self._transport, self._run = transport, transport.run
        self._calls = ServiceCalls(transport, partial(Job, transport))

    def models(self) -> list[dict[str, Any]]:
        """Returns the models, each with its versions and aliases."""
        return self._run(self._calls.models())

    def manifest(self, model: str | None = None) -> dict[str, Any]:
        """Returns what is known about a version: features, metrics, libraries and so on.

        Args:
            model: `NAME`, `NAME@VERSION` or `NAME@ALIAS`; None is the service's default model.

        Raises:
            NotFound: there is no such model or version.
            WrongUse: the service has no default model.
        """
        return self._run(find_manifest(self._transport, model))

    def alias(self, name: str, alias: str = "production") -> dict[str, Any]:
        """Returns the version that an alias names (`version`), the one to go back to (`earlier`), and its `moves`.

        Raises:
            NotFound: there is no such model or alias.
        """
        return self._run(self._calls.alias(name, alias))

    def set_alias(self, name: str, alias: str, version: str, *, expected: str | None = ANY) -> dict[str, Any]:
        """Points an alias at a version. Returns the model. New jobs use that version at once.

        With API keys, only a key with the scope `models` or an admin may do this.

        Args:
            name: the model.
            alias: the alias, for example `production`.
            version: the version, for example `2`.
            expected: the version that the alias has to name now; None if it must not exist, `*` for any.

        Raises:
            AliasMoved: the alias names another version than `expected`. It stays as it is.
        """
        return self._run(self._calls.set_alias(name, alias, version, expected))

    def set_shadow(self, name: str, alias: str, model: str, share: float = 0.1) -> dict[str, Any]:
        """Lets another version score a share of an alias's files, too. Returns the alias.

        Results still come from the alias's own version; how often both differ is counted in `shadow`. With API keys,
        only a key with the scope `models` or an admin may do this.

        Args:
            name: the model.
            alias: the alias, for example `production`.
            model: the version that scores as well, `NAME@VERSION` or `NAME@ALIAS`.
            share: the share of the alias's files, from 0 to 1.

        Raises:
            NotFound: there is no such model, alias or version.
            Unprocessable: the two versions cannot be compared.
        """
        return self._run(self._calls.set_shadow(name, alias, model, share))

    def remove_shadow(self, name: str, alias: str) -> dict[str, Any]:
        """Lets only the alias's own version score its files again. Returns the alias."""
        return self._run(self._calls.remove_shadow(name, alias))

    def send_actuals(
        self,
        name: str,
        source: Source,
        *,
        key: Sequence[str] | str | None = None,
        truth: str | None = None,
        **more: str,
    ) -> dict[str, Any]:
        """Sends what became true, and returns how good the predictions of past jobs were.

        Args:
            name: the model.
            source: a CSV: a path, bytes or an open file.
            key: the columns of the key, in the file and in the results; None for the option `key` of the newest job.
            truth: the column with what became true; None for the model's target.
            more: `since` and `until`, between which the jobs were made, and `delimiter`.

        Raises:
            JobFailed: the file could not be joined; the message says why.
        """
        return self._run(self._calls.send_actuals(name, source, key, truth, more))

    def actuals(self, name: str) -> list[dict[str, Any]]:
        """Returns how good the predictions of a model were, for each day and version, oldest first."""
        return self._run(self._calls.actuals(name))

    def pause(self, *, model: str | None = None, queue: Literal["batch", "single"] | None = None) -> dict[str, Any]:
        """Hands no more work to workers: of a model, of a queue, or at all. Returns what is paused, as `pauses` does.

        What runs ends, and jobs are accepted and wait. With API keys, only an admin may do this.
        """
        return self._run(self._calls.pause("pause", model, queue))

    def resume(self, *, model: str | None = None, queue: Literal["batch", "single"] | None = None) -> dict[str, Any]:
        """Ends the pause of a model or of a queue; without either, every pause. Returns what is still paused."""
        return self._run(self._calls.pause("resume", model, queue))

    def pauses(self) -> dict[str, Any]:
        """Returns what is paused (`paused`), and how many chunks and rows of it are still worked on (`running`)."""
        return self._run(self._calls.pause("pauses"))

    def receipt_keys(self) -> dict[str, Any]:
        """Returns the public keys that receipts are checked with, as a JSON Web Key Set (`{"keys": [...]}`)."""
        return self._run(self._calls.receipt_keys())
