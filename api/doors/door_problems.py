"""Problems as the clients of a door read them: ours, with the members that their own servers send."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, Response

from api.doors.door_scores import JobProblem
from api.openapi.call_types import PROBLEM

Members = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Returns what a client wants to read in addition, given the problem."""


def add_members(blueprint: Blueprint, members: Members) -> None:
    """Adds `members` to every problem that a call of the blueprint returns."""

    def complete(response: Response) -> Response:
        if response.mimetype == PROBLEM:
            document = json.loads(response.get_data())
            response.set_data(json.dumps({**document, **members(document)}))
        return response

    blueprint.register_error_handler(JobProblem, JobProblem.response)
    blueprint.after_request(complete)
