"""The call that Rowcast makes itself: a job's webhook, for the section `webhooks` of the OpenAPI document."""

from typing import Any

_HEADERS = {
    "webhook-id": "The job's id and the number of its end. It is the same in each attempt.",
    "webhook-timestamp": "Time of the attempt, in seconds since 1970, UTC.",
    "webhook-signature": "`v1,` and the signature in Base64, as Standard Webhooks describes; several with blanks.",
}


def webhook_entry(job_content: dict[str, Any]) -> dict[str, Any]:
    """Returns the entry. `job_content` is the `content` object of a job as JSON."""
    return {
        "job_ended": {
            "post": {
                "operationId": "job_ended",
                "summary": "Tells the URL in the option `webhook` that a job has ended",
                "tags": ["webhooks"],
                "parameters": [
                    {"name": name, "in": "header", "required": True, "description": text, "schema": {"type": "string"}}
                    for name, text in _HEADERS.items()
                ],
                "requestBody": {"required": True, "content": job_content},
                "responses": {
                    "2XX": {"description": "The message is accepted."},
                    "410": {"description": "No further attempt is made."},
                    "default": {"description": "The attempt has failed, and is repeated for up to a day."},
                },
            }
        }
    }
