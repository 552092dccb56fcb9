"""The pages of the documentation as the gateway serves them: every link works, as a page and as Markdown."""

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urldefrag, urljoin

import httpx
import pytest
from programs import ROOT, Stack

from api.guide.markdown_html import slug

pytestmark = pytest.mark.xdist_group("served pages")  # they share what was read

PAGES = ["/docs", "/docs/types", "/docs/settings", *(f"/docs/{page.stem}" for page in (ROOT / "docs").glob("*.md"))]
IN_MARKDOWN = re.compile(r"\]\(([^)\s]+)\)")


class Page(HTMLParser):
    """The links and the ids of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            elif name in ("href", "src") and value and not value.startswith(("data:", "https:", "http:")):
                self.links.append(value)


def prose(markdown: str) -> str:
    """Returns Markdown without its code, in which brackets are not links."""
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^```.*?^```$", "", markdown, flags=re.DOTALL | re.MULTILINE))


@pytest.fixture(scope="module")
def served(gateway: Stack) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=gateway.url) as client:
        yield client


@pytest.fixture(scope="module")
def get(served: httpx.Client) -> Callable[[str], httpx.Response]:
    """Gets what each address has, once: every page links to all others."""
    return cache(served.get)


@pytest.fixture(scope="module")
def page_at(get: Callable[[str], httpx.Response]) -> Callable[[str], Page]:
    """Reads what the address has, which has to be there; a picture or a style has no links and no ids."""

    def read(address: str) -> Page:
        answer = get(address)
        assert answer.status_code == 200, address
        return Page(answer.text if "html" in answer.headers["Content-Type"] else "")

    return cache(read)


@pytest.mark.parametrize("path", PAGES)
def test_every_link_of_a_page_works(
    get: Callable[[str], httpx.Response], page_at: Callable[[str], Page], path: str
) -> None:
    assert get(path).headers["Content-Type"] == "text/html; charset=utf-8"
    page = page_at(path)
    assert len(set(page.ids)) == len(page.ids), "two elements have one id"
    for link in page.links:
        address, fragment = urldefrag(urljoin(path, link))
        assert not fragment or fragment in page_at(address).ids, link
        assert get(address).status_code == 200, link


@pytest.mark.parametrize("path", PAGES)
def test_every_link_of_its_markdown_works(get: Callable[[str], httpx.Response], path: str) -> None:
    answer = get(f"{path}.md")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/markdown; charset=utf-8")
    assert answer.text.startswith("# ")
    assert "<!--" not in answer.text, "marks for tests mean nothing to a reader"
    for link in IN_MARKDOWN.findall(prose(answer.text)):
        if not link.startswith("https:"):
            address, fragment = urldefrag(urljoin(f"{path}.md", link))
            found = get(address)
            assert found.status_code == 200, link
            headings = map(slug, re.findall(r"^#+ (.+)$", found.text, re.MULTILINE)) if fragment else [""]
            assert fragment in set(headings), link


def test_the_list_for_language_models_has_every_page(served: httpx.Client) -> None:
    answer = served.get("/llms.txt")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert re.match(r"# Rowcast\n\n> ", answer.text), "a title and a summary come first, as llmstxt.org says"
    assert "\n## Optional\n" in answer.text
    links = IN_MARKDOWN.findall(answer.text)
    assert sorted(links) == sorted([*(f"{path}.md" for path in PAGES), "/openapi.json"])
    assert all(served.get(link).status_code == 200 for link in links)


def test_links_start_with_the_prefix_of_a_proxy(served: httpx.Client) -> None:
    headers = {"X-Forwarded-Prefix": "/rowcast"}
    assert "(/rowcast/docs/api.md)" in served.get("/llms.txt", headers=headers).text
    assert "localhost:5000/rowcast/jobs" in served.get("/docs.md", headers=headers).text
    page = served.get("/docs/api", headers=headers).text
    assert 'href="/rowcast/docs/errors"' in page
    assert re.search('href="/rowcast/static/[0-9a-f]+/page.css"', page)


@pytest.mark.parametrize("path", ["/docs/nothing", "/docs/nothing.md", "/docs/api.md.md", "/docs/pictures/nothing.png"])
def test_a_page_that_does_not_exist_is_a_problem(served: httpx.Client, path: str) -> None:
    answer = served.get(path)
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/problem+json")


@pytest.mark.parametrize("path", ["/docs/..%2fREADME.md", "/docs/pictures/..%2fapi.md", "/docs/pictures/%2e%2e/api.md"])
def test_files_beside_the_documentation_are_not_served(served: httpx.Client, path: str) -> None:
    assert served.get(path).status_code == 404


def test_every_example_of_the_reference_is_answered_as_it_says(stack: Stack, tmp_path: Path) -> None:
    """Each is run with another job, because one of them deletes its job."""
    text = httpx.get(f"{stack.url}/docs.md").text.replace("localhost:5000", f"127.0.0.1:{stack.port}")
    make_job, *examples = re.findall(r"^```sh\n(.*?)\n```$", text, re.DOTALL | re.MULTILINE)
    calls = re.findall(r"^## (?:GET|HEAD|POST|PUT|PATCH|DELETE) .*?(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    assert len(calls) == len(examples)
    lines = [
        f"{make_job}; {line.replace('curl', 'curl -sS -m 30 -o /dev/null -w %{http_code}', 1)}" for line in examples
    ]
    script = "\n".join(f"({line}) & wait; echo" for line in lines)
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=os.environ, capture_output=True, text=True, check=True
    )
    statuses = done.stdout.split()
    assert len(statuses) == len(calls), done.stderr
    for call, status in zip(calls, statuses, strict=True):
        named = re.findall(r"^\| (\d{3}) ", call, re.MULTILINE) + re.findall(
            r"\b\d{3}\b", call.rpartition("[Problems]")[2]
        )
        assert status in named, call


def test_the_reference_has_every_call_and_type_of_the_document(served: httpx.Client) -> None:
    document = served.get("/openapi.json").json()
    calls = {f"{method.upper()} {path}" for path, item in document["paths"].items() for method in item}
    assert set(re.findall(r"^## (.+)$", served.get("/docs.md").text, re.MULTILINE)) == calls
    types = re.findall(r"^## (.+)$", served.get("/docs/types.md").text, re.MULTILINE)
    assert types == sorted(document["components"]["schemas"])
