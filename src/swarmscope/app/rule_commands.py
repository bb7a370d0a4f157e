"""The commands about rule files: `swarmscope rules check`, `test` and `export`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

Paths = Annotated[list[str], typer.Argument(metavar="PATH…", help="Files, folders or patterns.")]
ServerPart = Callable[[str], Any]


def add_rule_commands(app: typer.Typer, server_part: ServerPart) -> None:
    """Register the commands; `server_part` brings a module of the server."""
    rules_app = typer.Typer(help="Look at files of rules.", no_args_is_help=True)
    app.add_typer(rules_app, name="rules")
    _add_check(rules_app, server_part)
    _add_test(rules_app, server_part)
    _add_export(rules_app, server_part)


def _add_check(app: typer.Typer, server_part: ServerPart) -> None:
    @app.command("check")
    def check(
        paths: Paths,
        *,
        lint: Annotated[
            str, typer.Option(help="What else to look for: all, none, or of duplicate-rules,severity,summary.")
        ] = "duplicate-rules",
        is_lint_fatal: Annotated[
            bool, typer.Option("--lint-fatal", help="Exit with 3 where any of it is found.")
        ] = False,
    ) -> None:
        """Check rule files: exits with 1 where one is wrong."""
        checking = server_part("swarmscope.app.rule_checking")
        raise typer.Exit(checking.check_rules(paths, lint, is_lint_fatal=is_lint_fatal))


def _add_test(app: typer.Typer, server_part: ServerPart) -> None:
    @app.command("test")
    def test(
        paths: Annotated[list[str], typer.Argument(metavar="FILE…", help="Files of unit tests, as promtool has them.")],
        *,
        run: Annotated[
            list[str] | None,
            typer.Option(metavar="REGEX", help="Only tests of such a name; can be given again.", show_default=False),
        ] = None,
    ) -> None:
        """Run unit tests of rules: exits with 1 where one fails."""
        checking = server_part("swarmscope.app.rule_checking")
        raise typer.Exit(checking.test_rules(paths, run or []))


def _add_export(app: typer.Typer, server_part: ServerPart) -> None:
    @app.command("export")
    def export(
        paths: Annotated[
            list[str] | None, typer.Argument(metavar="[PATH]…", help="Files, folders or patterns.")
        ] = None,
        *,
        packs: Annotated[
            list[str] | None,
            typer.Option("--pack", help="A pack that ships: agi, fleet, self; can be given again.", show_default=False),
        ] = None,
        output: Annotated[str | None, typer.Option("--output", "-o", help="File to write.", show_default=False)] = None,
    ) -> None:
        """Write rules as one file that Prometheus takes; tells what it does not know."""
        if not paths and not packs:
            raise typer.BadParameter("name files, or packs with --pack")
        checking = server_part("swarmscope.app.rule_checking")
        raise typer.Exit(checking.export_files(paths or [], packs or [], output))
