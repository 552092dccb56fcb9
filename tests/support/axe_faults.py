"""What axe finds in a page that people with disabilities cannot use."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

_COLOURS = {"runOnly": ["color-contrast"], "resultTypes": ["violations"]}
"""The rules whose result depends on the colours."""


def axe_faults(page: Page) -> str:
    """Returns the faults of the page that is shown, in light and in dark; empty if there are none."""
    page.emulate_media(color_scheme="light")
    found = [Axe().run(page)]
    page.emulate_media(color_scheme="dark")
    found.append(Axe().run(page, options=_COLOURS))
    return "".join(one.generate_report() for one in found if one.violations_count)
