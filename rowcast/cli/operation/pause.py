"""The commands pause and resume: they let workers drain, for example before a deploy."""

import time
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import typer

from rowcast.cli.connection_options import ApiKey, Json, Url, client
from rowcast.cli.data_location import Data
from rowcast.cli.output import print_json, say
from rowcast.wording.quantity import counted

_LOOK_SECONDS = 0.5
"""Pause between two looks at what still runs."""

_WORDS = {"all": "everything", "batch": "files", "single": "single rows"}

Model = Annotated[str | None, typer.Option("--model", help="Only work of this model: NAME or NAME@VERSION.")]
Queue = Annotated[
    Literal["batch", "single"] | None, typer.Option("--queue", help="Only files (batch), or only rows (single).")
]


def add_to(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command()(pause)
    app.command()(resume)


def pause(
    *,
    model: Model = None,
    queue: Queue = None,
    wait: Annotated[bool, typer.Option("--wait", "-w", help="Wait until nothing of it runs any more.")] = False,
    url: Url = None,
    api_key: ApiKey = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Hand no more work to workers. What runs ends; jobs are accepted and wait.

    Needs an admin's key if the service has API keys.

    Examples:
        rowcast pause --wait
        rowcast pause --model titanic
        rowcast pause --queue batch
    """
    with client(url, api_key, data) as service:
        found = service.pause(model=model, queue=queue)
        while wait and found["running"]:
            time.sleep(_LOOK_SECONDS)
            found = service.pauses()
    _show(found, json)


def resume(
    *,
    model: Model = None,
    queue: Queue = None,
    url: Url = None,
    api_key: ApiKey = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """End the pause of a model or of a queue; without an option, every pause.

    Examples:
        rowcast resume
        rowcast resume --model titanic
    """
    with client(url, api_key, data) as service:
        found = service.resume(model=model, queue=queue)
    _show(found, json)


def _show(found: Mapping[str, Any], json: bool) -> None:
    if json:
        print_json(found)
        return
    names = [_WORDS.get(one["what"], f"the {one['what']}") for one in found["paused"]]
    if not names:
        say("Nothing is paused.")
        return
    running = f"{counted(found['running'], 'lease')} of it still run" if found["running"] else "nothing of it runs"
    say(f"Paused: {', '.join(names)}; {running}.")
