"""Markdown as HTML for the pages of the documentation."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token


@dataclass(frozen=True)
class Rendered:
    """A page made from Markdown."""

    #: Text of the first heading.
    title: str
    #: The whole text as HTML. Raw HTML in the Markdown is shown as text.
    html: str


def slug(heading: str) -> str:
    """Returns the fragment by which a heading is addressed, as in GitHub's viewer: `#many-rows` for "Many rows"."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@lru_cache(maxsize=64)
def rendered(markdown: str) -> Rendered:
    """Returns a page. Links to other pages lose their `.md`, because the address of a page has none."""
    parser = _parser()
    tokens = parser.parse(markdown)
    for token, inline in pairwise(tokens):
        if token.type == "heading_open":
            token.attrSet("id", slug(_plain(inline)))
    for token in tokens:
        for child in token.children or ():
            if child.type == "link_open":
                child.attrSet("href", re.sub(r"^(?![a-z]+:)([^#]+)\.md(?=#|$)", r"\1", str(child.attrGet("href"))))
    _label_cells(tokens)
    title = next((_plain(tokens[place + 1]) for place, token in enumerate(tokens) if token.tag == "h1"), "")
    return Rendered(title, parser.renderer.render(tokens, parser.options, {}))


@lru_cache(maxsize=1)
def _parser() -> "MarkdownIt":
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False}).enable("table")


def _label_cells(tokens: Sequence["Token"]) -> None:
    """Writes the header of its column on each cell: on a phone each cell of a row is a line, below the next."""
    labels: list[str] = []
    column = 0
    for place, token in enumerate(tokens):
        if token.type == "table_open":
            labels = []
        elif token.type == "th_open":
            labels.append(_plain(tokens[place + 1]))
            if labels[-1]:
                token.attrSet("scope", "col")
            else:  # an empty header would be read out as one
                token.tag = tokens[place + 2].tag = "td"
        elif token.type == "tr_open":
            column = 0
        elif token.type == "td_open":
            if labels[column]:
                token.attrSet("data-label", labels[column])
            column += 1


def _plain(inline: "Token") -> str:
    return "".join(child.content for child in inline.children or ())
