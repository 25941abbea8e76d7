"""The text of ``/metrics``, as a program reads it."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

__all__ = ["Sample", "parse_metrics"]


def parse_metrics(text: str) -> list[Sample]:
    """Return all samples of a text of ``/metrics``. Raise ValueError for another text."""
    return [sample for family in text_string_to_metric_families(text) for sample in family.samples]
