"""Requests of a page that are held, so that a test can act while they are under way."""

from playwright.sync_api import Page, Route


def hold_requests(page: Page, pattern: str) -> list[Route]:
    """Holds the requests to addresses that match from now on, until the test answers or continues them."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route(pattern, hold)
    return held
