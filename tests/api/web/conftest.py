"""Pages in a browser that note every violation of their content security policy."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page
from programs import Stack

from rowcast import api_keys
from rowcast.api_keys import Role


@pytest.fixture
def page(browser: Browser, stack: Stack) -> Iterator[Page]:
    """A page of the whole service. The test fails if a script failed or the policy was violated."""
    context = browser.new_context(base_url=stack.url, accept_downloads=True)
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "console", lambda message: faults.append(message.text) if "Content Security Policy" in message.text else None
    )
    yield page
    context.close()
    assert faults == []


@pytest.fixture
def guarded_page(browser: Browser, make_stack: Callable[..., Stack]) -> Iterator[tuple[Page, str]]:
    """A page of a service that needs API keys, and the key of a user."""
    stack = make_stack()
    keys = stack.folder / "keys.txt"
    secret = api_keys.new(keys, "ann", Role.USER)
    stack.environment["ROWCAST_API_KEYS_FILE"] = str(keys)
    stack.start_gateway()
    stack.start_worker(concurrency=1)
    context = browser.new_context(base_url=stack.url, accept_downloads=True)
    yield context.new_page(), secret
    context.close()
    stack.stop_all()
