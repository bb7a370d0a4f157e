"""What can be set, called, asked and measured is documented."""

import re
from pathlib import Path
from typing import Any

import pytest
import typer.main
from starlette.routing import Route, WebSocketRoute

from swarmscope.api.agents.endpoint import FleetApiParts
from swarmscope.api.agents.routes import fleet_routes
from swarmscope.api.alertmanager.parts import AlertmanagerParts
from swarmscope.api.alertmanager.routes import alertmanager_routes
from swarmscope.api.alerts.parts import AlertsApiParts
from swarmscope.api.alerts.routes import alerts_routes
from swarmscope.api.application import create_app
from swarmscope.api.jaeger.routes import jaeger_routes
from swarmscope.api.loki.parts import LokiParts
from swarmscope.api.loki.routes import loki_routes
from swarmscope.api.parts import ApiParts
from swarmscope.api.tempo.parts import TempoParts
from swarmscope.api.tempo.routes import tempo_routes
from swarmscope.api.traces.parts import TraceApiParts, TraceApiSettings
from swarmscope.api.zipkin.routes import zipkin_routes
from swarmscope.app.cli import app
from swarmscope.app.reference import PAGES, SECTIONS_WITHOUT_EFFECT, SETTINGS_WITHOUT_EFFECT
from swarmscope.instrument.metrics import REGISTRY
from swarmscope.receivers.loki.settings import LokiSettings
from swarmscope.receivers.otlp.export import OtlpMetrics
from swarmscope.receivers.otlp.log_export import OtlpLogs
from swarmscope.receivers.remote_write.settings import RemoteWriteSettings

DOCS = Path(__file__).parent.parent / "docs"


@pytest.mark.parametrize("name", PAGES)
def test_page_that_lists_declarations_is_up_to_date(name):
    written = (DOCS / name).read_text(encoding="utf-8")
    assert written == PAGES[name](), "run `python -m swarmscope.app.reference`"


def test_settings_told_to_have_no_effect_are_read_by_nothing():
    package = DOCS.parent / "src" / "swarmscope"
    sources = [path for path in package.rglob("*.py") if "settings" not in path.relative_to(package).parts]
    unread = [rf"settings\.{section}\b" for section in SECTIONS_WITHOUT_EFFECT]
    unread += [rf"\b{section}\.{name}\b" for section, name in SETTINGS_WITHOUT_EFFECT]
    found = [path.name for path in sources if re.search("|".join(unread), path.read_text(encoding="utf-8"))]
    assert found == []


def test_every_metric_that_can_be_emitted_is_documented():
    page = (DOCS / "metrics.md").read_text(encoding="utf-8")
    missing = []
    for family in REGISTRY.collect():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        if f"`{name}`" not in page and not name.startswith("process_"):
            missing.append(name)
    assert missing == []


def _commands(command: Any, path: tuple[str, ...] = ("swarmscope",)) -> list[tuple[tuple[str, ...], Any]]:
    if not hasattr(command, "commands"):
        return [(path, command)]
    return [found for name, inner in sorted(command.commands.items()) for found in _commands(inner, (*path, name))]


def test_every_command_and_option_is_documented():
    page = (DOCS / "cli.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## `([a-z ]+)[^\n]*`\n(.*?)(?=^## |\Z)", page, re.DOTALL | re.MULTILINE))
    sections = {name.strip(): text for name, text in sections.items()}
    for path, command in _commands(typer.main.get_command(app)):
        name = " ".join(path)
        assert name in sections, f"`{name}` has no section in docs/cli.md"
        for parameter in command.params:
            options = [option for option in parameter.opts if option.startswith("--") and option != "--help"]
            for option in options:
                assert f"`{option}`" in sections[name], f"`{name} {option}` is not documented"


class _Anything:
    """Stands for every part of the API: its routes are listed and never called."""

    def __getattr__(self, name: str) -> "_Anything":
        return self

    def __call__(self, *_: Any, **__: Any) -> int:
        return 0


def test_every_endpoint_is_documented():
    page = (DOCS / "endpoints.md").read_text(encoding="utf-8")
    part: Any = _Anything()
    api = create_app(
        ApiParts(engine=part, reader=part, clock=part, run=part, is_ready=part, status=part, exposition=part)
    )
    loki = loki_routes(LokiParts(engine=part, reader=part, clock=part, run=part, queue=part))
    tempo = tempo_routes(TempoParts(engine=part, reader=part, clock=part, run=part, queue=part))
    jaeger, zipkin = (
        routes_of(TraceApiParts(part, part, part, part, TraceApiSettings(prefix)))
        for routes_of, prefix in ((jaeger_routes, "/jaeger"), (zipkin_routes, "/zipkin"))
    )
    fleet = fleet_routes(FleetApiParts(part, part, part, part))
    alertmanager = alertmanager_routes(AlertmanagerParts(part, part, part, part, part, 0, ""))
    alerts = alerts_routes(AlertsApiParts(part, part, part, part, part, part))
    routes = [*api.routes, *loki, *tempo, *jaeger, *zipkin, *fleet, *alertmanager, *alerts]
    paths = {route.path for route in routes if isinstance(route, Route | WebSocketRoute)}
    assert "/loki/api/v1/query_range" in paths
    assert len(paths) > 30
    paths |= {*OtlpMetrics.paths, *OtlpLogs.paths, *RemoteWriteSettings().paths, *LokiSettings().paths}
    for path in sorted(paths):
        short = path.replace("{name:path}", "{name}").removeprefix("/prometheus/api/v1")
        without_prefix = path.removeprefix("/prometheus").rstrip("/") or "/"
        documented = any(f"`{form}`" in page for form in (path, short, without_prefix))
        assert documented, f"{path} is not in docs/endpoints.md"


def test_links_between_pages_lead_somewhere():
    root = DOCS.parent
    for page in [*root.glob("*.md"), *DOCS.rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_decisions_are_numbered_without_a_gap():
    numbers = sorted(int(page.name[:4]) for page in (DOCS / "decisions").glob("*.md"))
    assert numbers == list(range(1, len(numbers) + 1))


def test_every_package_is_on_the_architecture_page():
    page = (DOCS / "architecture.md").read_text(encoding="utf-8")
    package = DOCS.parent / "src" / "swarmscope"
    folders = [
        folder.relative_to(package).as_posix() for folder in package.rglob("*") if (folder / "__init__.py").exists()
    ]
    missing = [folder for folder in folders if f"`{folder}`" not in page and f"`{folder}/`" not in page]
    assert missing == []
