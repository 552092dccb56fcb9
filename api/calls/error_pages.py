"""The documentation of all problems, made from the error tree.

`python -m api.calls.error_pages` prints `docs/errors.md`.
"""

import html
import re
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


def page() -> str:
    """Returns the same as an HTML page with each type at `#SLUG`. Links are relative, so it works below any path."""
    sections = []
    for status, kinds in public_types().items():
        sections.append(f"<h2>{status} {html.escape(HTTPStatus(status).phrase)}</h2>")
        sections += [
            f'<section id="{kind.slug}"><h3><a href="#{kind.slug}">{kind.slug}</a></h3>'
            f"<p><strong>{_inline(kind.title)}.</strong> {_inline(kind.cause())}</p>"
            f"<p><em>What to do:</em> {_inline(kind.remedy)}</p></section>"
            for kind in kinds
        ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>Rowcast problems</title>\n'
        '<link rel="icon" href="data:,">\n<link rel="stylesheet" href="errors.css">\n</head>\n<body>\n<main>\n'
        f"<h1>Problems</h1>\n<p>{_inline(_INTRODUCTION)}</p>\n" + "\n".join(sections) + "\n</main>\n</body>\n</html>\n"
    )


def _inline(text: str) -> str:
    """Returns Markdown that has code spans only as HTML."""
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", html.escape(text, quote=False))


if __name__ == "__main__":
    print(markdown(), end="")
