"""From exposed labels to stored labels: the target's labels, metric relabelling, and the limits on labels.

Source: https://prometheus.io/docs/prometheus/latest/configuration/configuration/#scrape_config (honor_labels).
"""

from __future__ import annotations

from swarmscope.receivers.scrape.config_model import ScrapeJob
from swarmscope.receivers.scrape.exposition import ExpositionError
from swarmscope.receivers.scrape.float_text import normalise_bound
from swarmscope.receivers.scrape.names import are_valid_label_names, is_valid_metric_name
from swarmscope.receivers.scrape.relabel import RelabelRule, apply_relabelling

_BOUND_OF_KIND = {"histogram": "le", "gaugehistogram": "le", "summary": "quantile"}


class SampleLimitError(Exception):
    """A scrape limit was exceeded, so the whole scrape fails; the text names limit and value."""


class SampleLabeller:
    """Gives the stored labels of one target's series. # Slow path: called once for a series never seen before."""

    def __init__(self, job: ScrapeJob, target_labels: dict[str, str]) -> None:
        self._job = job
        self._target_labels = target_labels
        self._rules: tuple[RelabelRule, ...] = job.metric_rules()

    def label(self, exposed: dict[str, str], kind: str) -> dict[str, str] | None:
        """Stored labels of a series with the `exposed` ones, None where relabelling drops it.

        `kind` is its family's type. Raises ExpositionError and SampleLimitError.
        """
        bound = _BOUND_OF_KIND.get(kind)
        if bound is not None and bound in exposed:
            exposed[bound] = normalise_bound(exposed[bound])
        labels = self._with_target(exposed)
        if self._rules and not apply_relabelling(labels, self._rules):
            return None
        self._check(labels)
        return labels

    def _with_target(self, exposed: dict[str, str]) -> dict[str, str]:
        if self._job.config.honor_labels:
            # An exposed empty label counts: it keeps the target's label away.
            merged = {**self._target_labels, **exposed}
            return {name: value for name, value in merged.items() if value}
        labels = {name: value for name, value in exposed.items() if value}
        clashes = [(name, labels.pop(name)) for name in self._target_labels if name in labels]
        labels.update(self._target_labels)
        for name, value in sorted(clashes, key=lambda clash: len(clash[0])):
            moved = f"exported_{name}"
            while moved in labels:
                moved = f"exported_{moved}"
            labels[moved] = value
        return labels

    def _check(self, labels: dict[str, str]) -> None:
        name = labels.get("__name__", "")
        scheme = self._job.validation_scheme
        if not name:
            raise ExpositionError("sample with no metric name after relabelling")
        if not is_valid_metric_name(name, scheme) or not are_valid_label_names(labels, scheme):
            raise ExpositionError(f"invalid metric name or label names: {name!r} {labels}")
        self._check_limits(name, labels)

    def _check_limits(self, name: str, labels: dict[str, str]) -> None:
        job = self._job
        if job.label_limit and len(labels) > job.label_limit:
            text = (
                f"label_limit exceeded (metric: {name[:50]}, number of labels: {len(labels)}, limit: {job.label_limit})"
            )
            raise SampleLimitError(text)
        for key, value in labels.items():
            if job.label_name_length_limit and len(key.encode()) > job.label_name_length_limit:
                where = f"(metric: {name[:50]}, label name: {key[:50]}, length: {len(key.encode())}"
                raise SampleLimitError(
                    f"label_name_length_limit exceeded {where}, limit: {job.label_name_length_limit})"
                )
            if job.label_value_length_limit and len(value.encode()) > job.label_value_length_limit:
                where = f"(metric: {name[:50]}, label name: {key[:50]}, length: {len(value.encode())}"
                limit = job.label_value_length_limit
                raise SampleLimitError(f"label_value_length_limit exceeded {where}, limit: {limit})")
