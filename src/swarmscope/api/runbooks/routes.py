"""Everything under `/api/runbooks`."""

from __future__ import annotations

from typing import Any

from starlette.routing import BaseRoute

from swarmscope.alerting.runbooks.runbook_files import Runbook
from swarmscope.alerting.runbooks.runbooks import Runbooks, RunStateError, UnknownRunError
from swarmscope.alerting.runbooks.runs import Run, RunState
from swarmscope.api.agents.endpoint import refuse
from swarmscope.api.agents.shapes import time_json
from swarmscope.api.incidents.endpoint import Call, JsonApiParts, json_route

_DEFAULT_LIMIT, _MAX_LIMIT = 100, 5000


def runbook_routes(runbooks: Runbooks, parts: JsonApiParts) -> list[BaseRoute]:
    """Runbooks, runs, and what people do. The paths with `runs` come first: no runbook is called so there."""

    def listed(call: Call) -> Any:
        del call
        loaded = runbooks.loaded
        return {
            "runbooks": [runbook_json(each) for each in loaded.runbooks.values()],
            "problems": [str(problem) for problem in loaded.problems],
        }

    def one(call: Call) -> Any:
        found = runbooks.loaded.runbooks.get(call.path["name"])
        if found is None:
            raise refuse(f"there is no runbook {call.path['name']!r}", 404)
        return {**runbook_json(found), "text": found.text, "file": found.file}

    def runs(call: Call) -> Any:
        state = call.chosen("state", lambda: [str(each) for each in RunState])
        found = runbooks.runs(call.tenant, call.path.get("name", ""), state)
        return {"runs": [run_json(run) for run in found[: call.limit(_DEFAULT_LIMIT, _MAX_LIMIT)]]}

    def run(call: Call) -> Any:
        return run_json(_known(lambda: runbooks.run(call.tenant, call.path["id"])))

    def approve(call: Call) -> Any:
        by = call.text("by", required=True)
        return run_json(_known(lambda: runbooks.approve(call.tenant, call.path["id"], by)))

    def refuse_run(call: Call) -> Any:
        by, why = call.text("by", required=True), call.text("comment")
        return run_json(_known(lambda: runbooks.refuse(call.tenant, call.path["id"], by, why)))

    def request(call: Call) -> Any:
        action, by = call.text("action", required=True), call.text("by", required=True)
        labels, dry_run = call.texts("labels"), call.flag("dry_run")
        return run_json(
            _known(lambda: runbooks.request(call.tenant, call.path["name"], action, labels, by, dry_run))
        )  # fmt: skip

    return [
        json_route("/api/runbooks", listed, parts),
        json_route("/api/runbooks/runs", runs, parts),
        json_route("/api/runbooks/runs/{id}", run, parts),
        json_route("/api/runbooks/runs/{id}/approve", approve, parts, "POST"),
        json_route("/api/runbooks/runs/{id}/refuse", refuse_run, parts, "POST"),
        json_route("/api/runbooks/{name}", one, parts),
        json_route("/api/runbooks/{name}/runs", runs, parts),
        json_route("/api/runbooks/{name}/runs", request, parts, "POST"),
    ]


def _known(work: Any) -> Run:
    try:
        found: Run = work()
    except UnknownRunError as error:
        raise refuse(str(error), 404) from None
    except RunStateError as error:
        raise refuse(str(error), 409) from None
    return found


def runbook_json(runbook: Runbook) -> dict[str, Any]:
    """One in a list."""
    return {
        "name": runbook.name,
        "title": runbook.title,
        "alerts": list(runbook.matchers),
        "actions": [
            {
                "name": action.name, "kind": str(action.kind), "on": action.on, "dry_run": action.dry_run,
                "approval": action.approval, "timeout": action.timeout / 1000,
                "when": {"matchers": list(action.when.matchers), "query": action.when.query},
                "rate_limit": {"runs": action.rate_limit.runs, "per": action.rate_limit.per / 1000,
                               "by": list(action.rate_limit.by)},
            }
            for action in runbook.actions
        ],
    }  # fmt: skip


def run_json(run: Run) -> dict[str, Any]:
    """One run."""
    return {
        "id": run.id, "runbook": run.runbook, "action": run.action, "kind": run.kind, "state": str(run.state),
        "dry_run": run.dry_run, "requested": time_json(run.requested_ns), "requested_by": run.requested_by,
        "approved_by": run.approved_by, "started": time_json(run.started_ns), "ended": time_json(run.ended_ns),
        "alert": run.alert, "labels": dict(run.labels), "phase": run.phase, "incident": run.incident,
        "input": dict(run.input), "output": run.output,
    }  # fmt: skip
