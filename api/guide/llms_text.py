"""`/llms.txt`: what Rowcast is and which pages there are, for language models (https://llmstxt.org)."""

from api.guide.guide_files import LAST_SECTION, Entry

_HEAD = """# Rowcast

> Rowcast is a prediction service for scikit-learn models. A caller sends one row as JSON, or a CSV file of any size,
> and gets a job. Workers predict it through a queue, and the result has each row once, with a prediction or with the
> reason why it has none.

- Every page is Markdown. Without `.md`, its address is that of the same page as HTML.
- [The OpenAPI document]({prefix}/openapi.json) describes every call.
- Predictions are those of `model.predict(pandas.read_csv(file)[features])`, to the last bit.
"""

_SKIPPED = "Optional"
"""The heading of what a reader with little room may leave out, as llmstxt.org defines it."""


def llms_text(sections: dict[str, list[Entry]], prefix: str) -> str:
    """Returns the text. `prefix` is the path under which a proxy serves the gateway."""
    lines = [_HEAD.format(prefix=prefix)]
    for title, entries in sections.items():
        lines += [f"## {_SKIPPED if title == LAST_SECTION else title}", ""]
        lines += [_line(f"{prefix}/docs/{entry.name}.md", entry.title, entry.about) for entry in entries]
        if "api" in {entry.name for entry in entries}:
            lines.append(_line(f"{prefix}/docs.md", "API reference", "Every call in short, with one example each."))
        lines.append("")
    return "\n".join(lines[:-1]) + "\n"


def _line(address: str, title: str, about: str) -> str:
    return f"- [{title}]({address})" + (f": {about}" if about else "")
