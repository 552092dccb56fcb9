"""What of a webhook's URL is shown."""

import pytest

from rowcast.jobs.webhook.shown_url import origin, shown_url


@pytest.mark.parametrize(
    ("url", "shown", "where"),
    [
        ("https://example.org/hook", "https://example.org/hook", "https://example.org"),
        (
            "https://ann:s3cret@example.org:8443/a?b=s3cret#c",
            "https://example.org:8443/a?***",
            "https://example.org:8443",
        ),
        ("http://[::1]:5001/?x", "http://[::1]:5001/?***", "http://[::1]:5001"),
    ],
)
def test_credentials_and_query_are_not_shown(url: str, shown: str, where: str) -> None:
    assert (shown_url(url), origin(url)) == (shown, where)
