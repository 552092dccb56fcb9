"""A request whose files are given by URL. The gateway only checks whether the URLs are allowed; workers open them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from api.services import Services
from rowcast.errors import OptionUnsuitable, OptionValue
from rowcast.jobs.actions.submit import Submitted
from rowcast.jobs.by_url.file_url import input_url, output_url
from rowcast.jobs.job import ByUrl
from rowcast.jobs.request import Request
from rowcast.settings import Settings

URL_FIELDS = ("input_url", "output_url", "overwrite")
"""Members of the JSON body, besides the options."""

_ENCODINGS = ("auto", "utf-8")


@dataclass(frozen=True)
class UrlRequest:
    """Files that workers read where they are."""

    request: Request
    by_url: ByUrl
    is_dry_run: bool = False
    """Whether the request asks for a check instead of a job."""

    def submit(self, services: Services, id: str) -> Submitted:
        """Makes the job `id`. Raises as `Jobs.submit_by_url`."""
        return services.jobs.submit_by_url(self.request, self.by_url, id)


def read_url_input(request: Request, body: Mapping[str, Any], settings: Settings, *, is_dry_run: bool) -> UrlRequest:
    """Returns what a body with `input_url` asks for.

    Raises:
        UrlRefused: a URL is not valid, or not allowed. OptionUnsuitable: an option does not apply.
    """
    options = request.options
    if options.reuse:
        raise OptionUnsuitable.at("reuse", "is not for files by URL, which may have changed")
    if options.encoding not in _ENCODINGS:
        raise OptionUnsuitable.at("encoding", "by URL, only UTF-8 is read")
    source = input_url(body["input_url"], settings.input_prefixes)
    target = body.get("output_url")
    overwrite = body.get("overwrite", False)
    if not isinstance(overwrite, bool):
        raise OptionValue.at("overwrite", "must be true or false")
    if target is None and overwrite:
        raise OptionUnsuitable.at("overwrite", "is only for requests with `output_url`")
    folder = None if target is None else str(output_url(target, settings.output_prefixes))
    by_url = ByUrl(input_url=str(source), output_url=folder, overwrite=overwrite)
    return UrlRequest(request, by_url, is_dry_run)
