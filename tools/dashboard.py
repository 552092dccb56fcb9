"""Writes Grafana's dashboard, `deploy/grafana/rowcast.json`, from the table of panels below.

Grafana's own export has some 2,000 lines, in which expressions are hard to find. Run: `python tools/dashboard.py`.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

FILE = Path(__file__).parents[1] / "deploy" / "grafana" / "rowcast.json"
WIDTH, HEIGHT = 8, 7
"""Size of a panel. A row of the dashboard has 24 columns, so three panels fit into it."""


class Panel(NamedTuple):
    """A plot over time."""

    title: str
    #: Grafana's name of the unit, for example `s`, `bytes`, `percentunit`, `short`.
    unit: str
    #: What each line is called, with labels as `{{model}}` → its expression.
    lines: dict[str, str]


def _once(metric: str) -> str:
    """Returns the value of a metric of the whole service, which every gateway shows."""
    return f"max without (instance) ({metric})"


PANELS = (
    Panel("Rows a second", "short", {"{{model}}@{{version}} {{outcome}}": "rowcast:rows:rate5m"}),
    Panel("Jobs a minute", "short", {"{{kind}} {{outcome}}": "sum by (kind, outcome) (rowcast:jobs:rate5m) * 60"}),
    Panel(
        "Bad rows, share of all",
        "percentunit",
        {
            "{{model}}@{{version}}": 'sum by (model, version) (rowcast:rows:rate5m{outcome="bad"})'
            " / (sum by (model, version) (rowcast:rows:rate5m) > 0)"
        },
    ),
    Panel("Age of the oldest job that waits", "s", {"{{queue}} {{pool}}": "rowcast:queue_age_seconds"}),
    Panel("Waiting chunks and rows", "short", {"{{queue}} {{pool}}": "rowcast:queue_depth"}),
    Panel("Time to the first lease, p99", "s", {"{{kind}}": "rowcast:queue_wait_seconds:p99_5m"}),
    Panel("Time of a chunk, p99", "s", {"{{model}}@{{version}}": "rowcast:chunk_seconds:p99_5m"}),
    Panel(
        "Workers",
        "short",
        {
            "workers {{pool}}": "rowcast:workers",
            "processes {{pool}}": _once("rowcast_worker_processes"),
            "wanted processes {{pool}}": "rowcast:wanted_processes",
            "busy processes {{pool}}": _once("rowcast_worker_processes_busy"),
        },
    ),
    Panel(
        "Leases lost, failures, store errors in 10 minutes",
        "short",
        {
            "leases lost": "sum(rowcast:leases_lost:increase10m)",
            "failures": "sum(rowcast:work_failed:increase10m)",
            "store errors": "rowcast:store_errors:increase10m",
        },
    ),
    Panel(
        "Requests a second",
        "reqps",
        {"{{route}} {{status}}": "sum by (route, status) (rate(rowcast_http_requests_total[5m])) > 0"},
    ),
    Panel(
        "Time to the head of the response, p99",
        "s",
        {"{{route}}": "histogram_quantile(0.99, sum by (le, route) (rate(rowcast_http_request_seconds_bucket[5m])))"},
    ),
    Panel("Requests in progress", "short", {"{{instance}}": "rowcast_http_requests_in_progress"}),
    Panel(
        "Memory",
        "bytes",
        {
            "gateway {{instance}}": 'process_resident_memory_bytes{job="rowcast-gateway"}',
            "all workers": _once("rowcast_workers_memory_bytes"),
            "Redis": _once("rowcast_redis_memory_bytes"),
        },
    ),
    Panel("Free space of the store", "percentunit", {"share": "rowcast:store:free_share"}),
    Panel(
        "Drift (PSI), the five largest",
        "short",
        {"{{model}}@{{version}} {{feature}}": "topk(5, rowcast:drift_psi)"},
    ),
    Panel("Jobs that are not accounted for", "short", {"jobs": "rowcast:jobs_unaccounted"}),
)


def dashboard() -> dict[str, Any]:
    """Returns the dashboard as Grafana reads it."""
    return {
        "uid": "rowcast",
        "title": "Rowcast",
        "tags": ["rowcast"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {
            "list": [{"name": "source", "label": "Data source", "type": "datasource", "query": "prometheus"}]
        },
        "panels": [_panel(number, panel) for number, panel in enumerate(PANELS)],
    }


def _panel(number: int, panel: Panel) -> dict[str, Any]:
    place = {"x": number % 3 * WIDTH, "y": number // 3 * HEIGHT, "w": WIDTH, "h": HEIGHT}
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": panel.title,
        "gridPos": place,
        "datasource": {"type": "prometheus", "uid": "${source}"},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": [
            {"refId": chr(ord("A") + place), "expr": expression, "legendFormat": name}
            for place, (name, expression) in enumerate(panel.lines.items())
        ],
    }


if __name__ == "__main__":
    FILE.write_text(json.dumps(dashboard(), indent=1) + "\n")
