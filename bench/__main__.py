"""Run it: `python -m bench`, or `make bench`. docs/benchmarks.md says how to read what comes out."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from bench.bodies import Load, encode_load
from bench.log_run import measure_logs
from bench.plan import Plan, full_plan, quick_plan
from bench.report import print_report
from bench.running import Running, measure_everything_at_rest, start
from bench.span_run import measure_spans
from bench.systems import SYSTEMS, System
from bench.writing import measure_write


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="less of everything, in under a minute: for development")
    parser.add_argument("--large", action="store_true", help="also write 1,000,000 series")
    parser.add_argument("--rounds", type=int, help="rounds of the load with 10,000 series")
    parser.add_argument("--runs", type=int, help="times that each query is asked")
    parser.add_argument("--only", action="append", choices=[s.name for s in SYSTEMS], help="systems (may be repeated)")
    parser.add_argument("--skip-100k", action="store_true", help="leave out the load with 100,000 series")
    parser.add_argument("--log-lines", type=int, help="log lines to take in; 0 leaves logs out")
    parser.add_argument("--spans", type=int, help="spans to take in; 0 leaves traces out")
    parser.add_argument("--skip-metrics", action="store_true", help="leave metrics out")
    parser.add_argument("--json", type=Path, default=Path(".bench/latest.json"), help="where the results go")
    return parser.parse_args()


def _write_load(systems: list[System], load: Load, plan: Plan, console: Console) -> dict[str, Any]:
    """One load against fresh servers, one after the other."""
    found: dict[str, Any] = {}
    for system in systems:
        console.print(f"{load.n_series:,} series × {len(load.rounds)} rounds → {system.name}", style="dim")
        with tempfile.TemporaryDirectory(prefix="bench-") as folder, start(system, Path(folder)) as running:
            result = measure_write(system, running.port, running.process, load, plan.connections, plan.settling)
            found[system.name] = result.to_json()
    return found


def _main_load(systems: list[System], load: Load, plan: Plan, results: dict[str, Any], console: Console) -> None:
    """The load whose data is then queried and weighed, so all servers stay up until the end."""
    found: dict[str, Any] = {}
    with ExitStack() as stack:
        running: list[Running] = []
        for system in systems:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
            one = stack.enter_context(start(system, folder))
            running.append(one)
            console.print(f"{load.n_series:,} series × {len(load.rounds)} rounds → {system.name}", style="dim")
            found[system.name] = measure_write(
                system, one.port, one.process, load, plan.connections, plan.settling
            ).to_json()
        console.print("queries, disk", style="dim")
        results["queries"], results["disk"] = measure_everything_at_rest(running, load, plan.runs)
    results["writes"][_title(load)] = found


def _title(load: Load) -> str:
    return f"{load.n_series:,} series × {len(load.rounds)} rounds, {load.label_bytes:.0f} bytes of labels each"


def main() -> int:
    """Run the benchmark as the command line asks; 1 when Swarmscope lost or refused something."""
    arguments = _arguments()
    console = Console(stderr=True, width=None if sys.stderr.isatty() else 160)
    plan = quick_plan() if arguments.quick else full_plan()
    plan = plan.changed(
        rounds=arguments.rounds, runs=arguments.runs, log_lines=arguments.log_lines, spans=arguments.spans
    )
    chosen = [system for system in SYSTEMS if not arguments.only or system.name in arguments.only]
    systems = [system for system in chosen if not system.missing]
    results: dict[str, Any] = {
        "taken": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "load_average_before": os.getloadavg()[0],
        "quick": arguments.quick,
        "systems": {system.name: system.version() for system in systems},
        "skipped": {system.name: system.missing for system in chosen if system.missing},
        "writes": {},
        "queries": {},
        "disk": {},
        "logs": {},
        "spans": {},
    }
    if not arguments.skip_metrics:
        _main_load(systems, encode_load(10_000, plan.rounds, plan.batch), plan, results, console)
    if not arguments.skip_metrics and not arguments.skip_100k and plan.rounds_100k:
        load = encode_load(100_000, plan.rounds_100k, plan.batch)
        results["writes"][_title(load)] = _write_load(systems, load, plan, console)
    if arguments.large and not arguments.skip_metrics:
        load = encode_load(1_000_000, plan.rounds_1m, plan.batch)
        results["writes"][_title(load)] = _write_load(systems, load, plan, console)
    if plan.log_lines:
        results["logs"] = measure_logs(plan.log_lines, plan.runs, plan.settling, console)
    if plan.spans:
        results["spans"] = measure_spans(plan.spans, plan.runs, plan.settling, console)
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(results, indent=1))
    print_report(results, Console(width=None if sys.stdout.isatty() else 160))
    lost = [found["swarmscope"]["refused"] for found in results["writes"].values() if "swarmscope" in found]
    lost += [results[signal].get("refused", 0) for signal in ("logs", "spans")]
    return int(any(lost))


if __name__ == "__main__":
    sys.exit(main())
