"""Twelve queries of the kind dashboards ask, each asked for one moment and for an hour in steps of 15 s."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from bench.bodies import Load
from bench.fleet import STEP_MS, pod_labels

RANGE_MS = 3_600_000

# Between two samples: ranges are left-open since Prometheus 3 and closed before, and so hold the same samples.
_AFTER_LAST_SAMPLE_S = 7


@dataclass(frozen=True, slots=True)
class Question:
    """One request to the Prometheus API."""

    name: str
    is_range: bool
    path: str  # below /api/v1

    @property
    def kind(self) -> str:
        """ "range" or "instant"."""
        return "range" if self.is_range else "instant"


def _expressions() -> dict[str, str]:
    pod = pod_labels(0)
    requests = "rate(agent_requests_total[5m])"
    buckets = "rate(agent_request_duration_seconds_bucket[5m])"
    single = 'endpoint="/v1/tasks/submit",method="GET",code="200",pod=~"planner-agent-.*-00000"'
    return {
        "rate of one series": f"rate(agent_requests_total{{{single}}}[5m])",
        "one series": f'process_resident_memory_bytes{{instance="{pod["instance"]}"}}',
        "requests by endpoint": f"sum by (endpoint, code) ({requests})",
        "share of errors": f'sum by (job) (rate(agent_requests_total{{code=~"5.."}}[5m])) / sum by (job) ({requests})',
        "p99 by endpoint": f"histogram_quantile(0.99, sum by (le, endpoint) ({buckets}))",
        "p95 by job": f"histogram_quantile(0.95, sum by (le, job, endpoint) ({buckets}))",
        "busiest pods": 'topk(10, sum by (pod) (rate(container_cpu_seconds_total{mode!="idle"}[5m])))',
        "average queues": "avg by (queue) (avg_over_time(task_queue_depth[10m]))",
        "join with versions": (
            f"sum by (job, version) ({requests} * on (instance, pod) group_left (version) agent_build_info)"
        ),
        "series by job": "count by (job) (agent_requests_total)",
        "quantile of everything": 'quantile by (job) (0.95, {cluster=~"prod-eu-north-1-.*"})',
        "CPU use": '100 * (1 - avg by (instance) (rate(container_cpu_seconds_total{mode="idle"}[2m])))',
    }


def questions(load: Load) -> list[Question]:
    """All questions about a load, at its end; the instant ones first."""
    end_s = load.last_ms // 1000 + _AFTER_LAST_SAMPLE_S
    asked = []
    for is_range in (False, True):
        for name, expression in _expressions().items():
            if is_range:
                span = {"start": end_s - RANGE_MS // 1000, "end": end_s, "step": STEP_MS // 1000}
                path = "/query_range?" + urlencode({"query": expression, **span})
            else:
                path = "/query?" + urlencode({"query": expression, "time": end_s})
            asked.append(Question(name, is_range, path))
    return asked
