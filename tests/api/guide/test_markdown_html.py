"""Markdown as pages."""

from api.guide.markdown_html import rendered


def test_raw_html_and_scripts_are_shown_as_text() -> None:
    page = rendered("# A <b>title</b>\n\n<script>alert(1)</script>\n\n[a](javascript:alert(1)) <img src=x onerror=y>\n")
    assert "<script" not in page.html
    assert "<img" not in page.html
    assert "<b>" not in page.html
    assert "href" not in page.html


def test_links_to_pages_lose_their_ending_and_others_do_not() -> None:
    html = rendered(
        "[a](api.md) [b](api.md#many-rows) [c](https://example.org/a.md) [d](#here) [e](../openapi.json)"
    ).html
    for link in ("api", "api#many-rows", "https://example.org/a.md", "#here", "../openapi.json"):
        assert f'href="{link}"' in html


def test_headings_can_be_linked_to() -> None:
    page = rendered("# Isolation: rows that kill `predict`\n\n## Many rows\n")
    assert page.title == "Isolation: rows that kill predict"
    assert '<h2 id="many-rows">' in page.html


def test_each_cell_knows_the_header_of_its_column() -> None:
    html = rendered("| option | |\n| --- | --- |\n| `key` | a \\| b |\n").html
    assert '<th scope="col">option</th>' in html
    assert "<td></td>" in html, "an empty header is not one"
    assert '<td data-label="option"><code>key</code></td>' in html
    assert "<td>a | b</td>" in html
