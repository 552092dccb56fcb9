"""Pages in a browser that note every violation of their content security policy."""

import uuid
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page
from programs import Stack, http_client, until

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
def quiet(browser: Browser, gateway: Stack) -> Iterator[Page]:
    """A page of the gateway without workers, where jobs wait. The test fails if a script failed."""
    context = browser.new_context(base_url=gateway.url)
    page, faults = context.new_page(), []
    page.on("pageerror", lambda error: faults.append(str(error)))
    yield page
    context.close()
    assert faults == []


@pytest.fixture(scope="session")
def guarded_stack(make_lasting_stack: Callable[..., Stack]) -> Stack:
    """The whole service, which needs API keys. Its tests are one group, so that it is started once."""
    stack = make_lasting_stack()
    keys = stack.folder / "keys.txt"
    api_keys.new(keys, "root", Role.ADMIN)
    stack.environment["ROWCAST_API_KEYS_FILE"] = str(keys)
    stack.start_gateway()
    stack.start_worker(concurrency=1)
    return stack


@pytest.fixture
def guarded_page(browser: Browser, guarded_stack: Stack) -> Iterator[tuple[Page, str]]:
    """A page of a service that needs API keys, and the key of a user of the test's own."""
    secret = api_keys.new(guarded_stack.folder / "keys.txt", f"ann-{uuid.uuid4().hex[:8]}", Role.USER)
    authorization = {"Authorization": f"Bearer {secret}"}
    with http_client(guarded_stack.url) as http:  # the gateway looks at the file at most once a second
        until(lambda: http.get("/jobs", headers=authorization).is_success, "the gateway knows the key")
    context = browser.new_context(base_url=guarded_stack.url, accept_downloads=True)
    yield context.new_page(), secret
    context.close()
