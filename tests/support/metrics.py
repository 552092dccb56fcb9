"""Reads metrics as Prometheus does."""

from collections import Counter

import httpx
from prometheus_client.parser import text_string_to_metric_families

Sample = tuple[str, tuple[tuple[str, str], ...]]
"""Name and labels, sorted."""


def samples(http: httpx.Client, path: str = "/metrics/cluster") -> Counter[Sample]:
    """Returns every number of a gateway's metrics."""
    answer = http.get(path)
    assert answer.status_code == 200, answer.text
    return Counter(
        {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(answer.text)
            for sample in family.samples
        }
    )


def total(found: Counter[Sample], name: str, **labels: str) -> float:
    """Returns the sum of a metric over all labels that are not given."""
    return sum(
        value for (known, pairs), value in found.items() if known == name and labels.items() <= dict(pairs).items()
    )
