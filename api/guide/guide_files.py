"""The files of the documentation: which pages there are, and their Markdown.

In a checkout they are in `docs/`. An installed package and the gateway's image have copies in `api/guide/pages/`.
"""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from api.guide import settings_table

SECTIONS: dict[str, dict[str, str]] = {
    "Start": {
        "quickstart": "From your own CSV file and model to predictions: by page, by command line and by Python.",
        "production": "A model from a notebook, XGBoost or MLflow: registered, explained, watched and rolled back.",
        "page": "The web page: send a file, follow it, and download the result.",
        "cli": "Every command with its options and examples.",
        "client": "The Python client: rows, files, DataFrames, bad rows, exceptions and retries.",
        "engines": "rowcast.score: predict without a service, in a script or in Ray, Spark, Dask or Daft.",
        "training": "How `rowcast train` fits and measures a model, and what its options and warnings mean.",
        "models": "How models are registered, compared with your own script, and versioned.",
    },
    "Look up": {
        "api": "Every call, option, format, limit and status code, with examples.",
        "formats": "What you can send and what you can get back, each with an example.",
        "explanations": "Which features moved each prediction most, and what the numbers mean.",
        "doors": "For clients of MLflow's server and of the Open Inference Protocol.",
        "webhooks": "A signed POST to your own service when a job has ended, and how to verify it.",
        "receipts": "Signed proof of what was predicted: get it, check it offline, and keep the keys.",
        "types": "Every member of the JSON documents that the gateway takes and returns.",
        "errors": "Every type of error with its cause and its remedy.",
        "settings": "Every setting of the service.",
        "glossary": "The words that have a special meaning here.",
    },
    "Run it": {
        "security": "What is protected from the start, what you have to do, and a threat model.",
        "keys": "API keys: roles, scopes, expiry, limits and the log of what admins do.",
        "containers": "Docker Compose: volumes, settings, signals and health checks.",
        "clusters": "Kubernetes and Azure Container Apps, with as many workers as there is work.",
        "operations": "Drain, update, back up and restore a service, and what `rowcast doctor` says.",
        "fast-trees": "scikit-learn's trees, up to fifteen times as fast with the same bits; also in your own scripts.",
        "logs": "Everything about one job: log lines of all programs, and traces.",
        "metrics": "What Prometheus reads, the alerts, and what to do when one fires.",
        "drift": "How each batch is compared with the model's sample, and what the numbers mean.",
        "actuals": "Send what became true, and see how good the predictions were.",
        "shadow": "Let another version score a share of the files, and count how often it differs.",
        "scaling": "What limits the speed when you add workers.",
        "performance": "How fast it is, compared with scripts.",
    },
    "How it works": {
        "architecture": "The programs, the way of the data, and where to change what.",
        "exactness": "Why predictions are the same as those of your script.",
        "uploads": "How files arrive and results leave.",
        "queue": "Messages, leases and turns.",
        "faults": "What happens when something dies.",
        "isolation": "Rows that kill `predict`.",
        "storage": "The files in the store.",
        "records": "What Redis holds.",
        "decisions": "Why Celery, gevent, Valkey and so on.",
        "releasing": "Versions, the steps of a release, and what CI checks.",
    },
}
"""What each page is about, by section and by name, in the order in which the pages are listed."""

LAST_SECTION = "How it works"
"""The section of pages that are not in the table."""

_INSTALLED = Path(__file__).parent / "pages"
_MARK = re.compile(r"^<!-- /?[\w ]+ -->\n", re.MULTILINE)
"""A mark by which tests find the examples and tables that they check. It means nothing to a reader."""

_SETTINGS = (
    "# Settings\n\nSettings are environment variables. An invalid value stops startup, with a message that says what "
    "the setting takes.\n\n{table}"
)


@dataclass(frozen=True)
class Entry:
    """A page of the documentation, as lists of pages show it."""

    #: Name of the page in its address, for example `api` for `/docs/api` and `/docs/api.md`.
    name: str
    #: Its first heading.
    title: str
    #: What it is about, in one sentence; empty if the table above does not have the page.
    about: str


def folder() -> Path:
    """Returns the folder of the pages and of the folder `pictures`."""
    return _INSTALLED if _INSTALLED.is_dir() else Path(__file__).parents[2] / "docs"


@cache
def texts() -> dict[str, str]:
    """Returns the Markdown of every page by name, without the marks for tests."""
    found = {file.stem: _MARK.sub("", file.read_text(encoding="utf-8")) for file in sorted(folder().glob("*.md"))}
    return {**found, "settings": _SETTINGS.format(table=settings_table.table())}


def sections(made: dict[str, str]) -> dict[str, list[Entry]]:
    """Returns the entries of all pages by section. `made` has the Markdown of further pages by name."""
    pages = texts() | made
    about = {name: text for section in SECTIONS.values() for name, text in section.items()}
    names = {title: list(section) for title, section in SECTIONS.items()}
    names[LAST_SECTION] += sorted(set(pages) - set(about))
    return {
        title: [Entry(name, _title(pages[name]), about.get(name, "")) for name in section if name in pages]
        for title, section in names.items()
    }


def _title(text: str) -> str:
    return text.removeprefix("# ").partition("\n")[0]
