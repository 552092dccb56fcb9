"""The API reference as Markdown, made from the OpenAPI document: every call, and every type of its bodies."""

import json
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from api.guide.markdown_html import slug
from api.guide.schema_text import property_table, row, type_text

JsonObject = Mapping[str, Any]

_METHODS = ("get", "post", "put", "patch", "delete", "head")

_EXAMPLES = {
    "id": "$JOB",
    "name": "titanic",
    "version": "1",
    "alias": "production",
    "file": "api.md",
    "picture": "page-job.png",
}
"""Values of the variables of paths in the examples. The page says how to set `JOB` and `UPLOAD`."""

_MENTIONED_OPTIONS = 10
"""Number of options of `POST /predict` from which on another call that has them only mentions them."""

_CALLS = r"""# API reference

Every call of the gateway, made from its [OpenAPI document](openapi.json). [The HTTP API](docs/api.md) explains them,
with more examples. [Types](docs/types.md) lists the members of the JSON documents, and [Problems](docs/errors.md)
every error. On [another page](docs/try) you can try the calls; it needs JavaScript.

In the examples, `JOB` is the id of a job, and `UPLOAD` that of a resumable upload:

```sh
JOB=$(curl -s {address}/predict -H 'Content-Type: application/json' -d '{{"instances": [[25, 3]]}}' | cut -d '"' -f 4)
UPLOAD=$(curl -s -D - -X POST {address}/uploads | sed -n 's|^Location: .*/||p' | tr -d '\r')
```

If the gateway has API keys, add `-H "Authorization: Bearer $KEY"` to each call.

"""

_TYPES = """# Types

The members of the JSON documents that the gateway takes and returns, made from its
[OpenAPI document](../openapi.json). [The HTTP API](api.md) explains them.

"""


def calls_markdown(document: JsonObject) -> str:
    """Returns the page of all calls. Its links are relative to the gateway's root."""
    address = f"localhost:5000{document['servers'][0]['url']}".rstrip("/")
    calls = list(_calls(document))
    lines = ["| call | what it does |", "| --- | --- |"]
    lines += [row(f"[{name}](#{slug(name)})", operation["summary"]) for name, operation in calls]
    options = dict(calls)["POST /predict"]["parameters"]
    for name, operation in calls:
        lines += ["", f"## {name}", "", f"{operation['summary']}.", ""]
        known = [] if name == "POST /predict" else options
        lines += [*_parameters(operation, known), *_bodies(operation), *_responses(operation)]
        lines += ["```sh", _curl(name, operation, address), "```"]
    return _CALLS.format(address=address) + "\n".join(lines) + "\n"


def types_markdown(document: JsonObject) -> str:
    """Returns the page of all types. Its links are relative to `/docs/`."""
    schemas = document["components"]["schemas"]
    lines: list[str] = []
    for name, schema in sorted(schemas.items()):
        lines += [f"## {name}", ""]
        if "description" in schema:
            lines += [" ".join(schema["description"].split()), ""]
        lines += property_table(name, schemas)
    return _TYPES + "\n".join(lines[:-1]) + "\n"


def _calls(document: JsonObject) -> Iterable[tuple[str, JsonObject]]:
    """Returns each call as `GET /jobs/{id}` with its operation object. Calls about the service itself are last."""
    found = [
        (f"{method.upper()} {path}", item[method])
        for path, item in document["paths"].items()
        for method in _METHODS
        if method in item
    ]
    return sorted(found, key=lambda call: "service" in call[1]["tags"])


def _parameters(operation: JsonObject, known: list[JsonObject]) -> list[str]:
    """Returns the table of parameters. Options that are the same as those in `known` are only mentioned."""
    options = [one for one in operation["parameters"] if one["in"] == "query" and one in known]
    mentioned = len(options) >= _MENTIONED_OPTIONS
    rows = [
        row(f"`{one['name']}`", one["in"], type_text(one["schema"]), one.get("description", "Required."))
        for one in operation["parameters"]
        if not (mentioned and one in options)
    ]
    lines = ["The options in the query are those of [POST /predict](#post-predict).", ""] if mentioned else []
    return [*lines, "| parameter | place | type | meaning |", "| --- | --- | --- | --- |", *rows, ""] if rows else lines


def _bodies(operation: JsonObject) -> list[str]:
    content = operation.get("requestBody", {}).get("content", {})
    rows = [row(f"`{media}`", _body_text(one)) for media, one in content.items()]
    return ["| content type of the request | body |", "| --- | --- |", *rows, ""] if rows else []


def _body_text(content: JsonObject) -> str:
    return type_text(content["schema"], "docs/types.md")


def _responses(operation: JsonObject) -> list[str]:
    own = {status: one for status, one in operation["responses"].items() if "$ref" not in one}
    lines = ["| status | response | content |", "| --- | --- | --- |"]
    for status, answer in own.items():
        content = [f"`{media}`: {_body_text(one)}" for media, one in answer.get("content", {}).items()]
        headers = ", ".join(f"`{name}`" for name in answer.get("headers", {}))
        about = f"{answer['description']} With {headers}." if headers else answer["description"]
        lines.append(row(status, about, ", ".join(content)))
    problems = [status for status in operation["responses"] if status not in own]
    if problems:
        lines += ["", f"[Problems](docs/errors.md): {', '.join(problems)}."]
    return [*lines, ""]


def _curl(name: str, operation: JsonObject, address: str) -> str:
    method, path = name.split()
    path = path.replace("/uploads/{id}", "/uploads/$UPLOAD")
    for variable, value in _EXAMPLES.items():
        path = path.replace(f"{{{variable}}}", value)
    content = operation.get("requestBody", {}).get("content", {})
    media, example = next(((media, one["example"]) for media, one in content.items() if "example" in one), ("", None))
    default = "POST" if media else "GET"
    chosen = {default: [], "HEAD": ["-I"]}.get(method, ["-X", method])
    words = ["curl", *chosen, f"{address}{path}"]
    for one in operation["parameters"]:
        if one["in"] == "header" and "examples" in one["schema"]:
            words += ["-H", shlex.quote(f"{one['name']}: {one['schema']['examples'][0]}")]
    if media:
        body = example if isinstance(example, str) else json.dumps(example)
        words += ["-H", shlex.quote(f"Content-Type: {media}"), "-d", shlex.quote(body)]
    return " ".join(words)
