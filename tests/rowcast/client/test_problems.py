"""Each type of problem has an exception in the client."""

import pytest
from fake_service import FakeService
from programs import Stack

import rowcast.client
from api.error_responses import public_types
from rowcast.client import Client, Conflict, MissingColumns, Unprocessable
from rowcast.client.errors import BY_STATUS, Refused, ServiceError
from rowcast.client.errors.problem_types import BY_TYPE
from rowcast.errors import PREFIX

GENERAL = {
    "refused", "unreadable", "no-key", "forbidden", "not-found", "no-result", "wrong-state", "gone", "too-large",
    "unsupported-type", "invalid-request", "rate-limited", "internal-error", "unavailable",
}  # fmt: skip
"""Types whose exception is that of their status."""


def test_every_type_of_the_service_has_an_exception_below_that_of_its_status() -> None:
    of_service = {PREFIX + kind.slug: status for status, kinds in public_types().items() for kind in kinds}
    assert set(BY_TYPE) == of_service.keys() - {PREFIX + slug for slug in GENERAL}
    for type_, kind in BY_TYPE.items():
        status = of_service[type_]
        assert issubclass(kind, BY_STATUS.get(status) or (ServiceError if status >= 500 else Refused)), kind
        assert getattr(rowcast.client, kind.__name__) is kind
        assert kind.__name__ in rowcast.client.__all__


def test_an_answer_of_the_service_raises_it(gateway: Stack) -> None:
    with Client(gateway.url) as client, pytest.raises(MissingColumns, match="'pclass' is missing") as raised:
        client.submit_csv(b"age,class\n25,3\n")
    assert raised.value.errors[0]["where"] == "header.pclass"


@pytest.mark.parametrize(
    ("type_", "status", "kind"),
    [
        ("urn:rowcast:problem:of-a-newer-service", 422, Unprocessable),
        ("urn:rowcast:problem:missing-columns", 409, Conflict),
        ("about:blank", 501, ServiceError),
    ],
)
def test_what_it_does_not_know_raises_that_of_the_status(
    service: FakeService, client: Client, type_: str, status: int, kind: type[Exception]
) -> None:
    service.fails("GET /models", lambda handler: handler.answer_json(status, {"status": status, "type": type_}))
    with pytest.raises(kind) as raised:
        client.models()
    assert type(raised.value) is kind
