"""The documentation of all problems, made from the error tree.

`python -m api.calls.error_pages` prints `docs/errors.md`.
"""

from http import HTTPStatus

from api.error_responses import public_types

_INTRODUCTION = (
    "Every error of the service is a problem document (RFC 9457, `application/problem+json`) with the members `type`, "
    "`title`, `status`, `detail`, `help` and `request_id`. If faults have places in the input, `errors` lists them. "
    "`type` is `urn:rowcast:problem:` and one of the names below, for example `urn:rowcast:problem:missing-columns`. "
    "Types are stable, so programs can depend on them; later versions may add some. "
    "A failed job has the same members in its `error`, except `request_id`. Its `status` there is the status of the "
    "response if a caller waits for a single row."
)


def markdown() -> str:
    """Returns the text of `docs/errors.md`."""
    lines = ["# Problems", "", _INTRODUCTION, ""]
    for status, kinds in public_types().items():
        lines += [f"## {status} {HTTPStatus(status).phrase}", ""]
        for kind in kinds:
            lines += [
                f"### {kind.slug}",
                "",
                f"**{kind.title}.** {kind.cause()}",
                "",
                f"*What to do:* {kind.remedy}",
                "",
            ]
    return "\n".join(lines[:-1]) + "\n"


if __name__ == "__main__":
    print(markdown(), end="")
