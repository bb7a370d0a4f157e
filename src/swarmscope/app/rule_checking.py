"""What `swarmscope rules` does: checks, tests and exports files of rules. Exit codes are promtool's."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import typer

from swarmscope.alerting.placed_yaml import BadFileError
from swarmscope.alerting.rules.rule_checks import Lint, find_lint
from swarmscope.alerting.rules.rule_export import export_rules
from swarmscope.alerting.rules.rule_files import load_file, load_rules, rule_file_names
from swarmscope.alerting.rules.unit_tests import run_unit_tests
from swarmscope.dashboards.packs.packs import pack_path

EXIT_OK, EXIT_FAILED, EXIT_LINT = 0, 1, 3


def check_rules(paths: Sequence[str], lint: str, *, is_lint_fatal: bool) -> int:
    """Check files and say what was found; the exit code. Raises typer.BadParameter."""
    chosen, code = _lints(lint), EXIT_OK
    for path in paths:
        files = rule_file_names(path)
        if not files:
            _fail(path, ["there is no such file, or no rule file in the folder"])
            code = EXIT_FAILED
        for file in files:
            code = _check_file(file, chosen, code, is_lint_fatal=is_lint_fatal)
    return code


def _check_file(file: str, chosen: frozenset[Lint], code: int, *, is_lint_fatal: bool) -> int:
    typer.echo(f"Checking {file}")
    try:
        groups = load_file(Path(file))
    except BadFileError as error:
        _fail("", [str(problem) for problem in error.problems])
        return EXIT_FAILED
    found = find_lint(groups, chosen)
    if found:
        typer.echo(f"  LINT: {len(found)} found")
        typer.echo("".join(f"    {problem}\n" for problem in found))
        if is_lint_fatal:
            return code or EXIT_LINT
    typer.echo(f"  SUCCESS: {sum(len(group.rules) for group in groups)} rules found\n")
    return code


def _fail(path: str, problems: Sequence[str]) -> None:
    if path:
        typer.echo(f"Checking {path}")
    typer.echo("  FAILED:", err=True)
    typer.echo("\n".join(problems) + "\n", err=True)


def _lints(text: str) -> frozenset[Lint]:
    if text == "none":
        return frozenset()
    if text == "all":
        return frozenset(Lint)
    try:
        return frozenset(Lint(each.strip()) for each in text.split(","))
    except ValueError:
        raise typer.BadParameter(f"--lint is all, none, or of {', '.join(Lint)}") from None


def test_rules(paths: Sequence[str], names: Sequence[str]) -> int:
    """Run files of unit tests and say how they went; the exit code. Raises typer.BadParameter."""
    try:
        patterns = [re.compile(name) for name in names]
    except re.error as error:
        raise typer.BadParameter(f"--run: {error}") from None
    code = EXIT_OK
    for path in paths:
        typer.echo(f"Unit Testing:  {path}")
        verdict = run_unit_tests(Path(path), patterns)
        for warning in verdict.warnings:
            typer.echo(f"  WARNING: {warning}", err=True)
        if verdict.failures:
            code = EXIT_FAILED
            typer.echo("  FAILED:", err=True)
            typer.echo("\n\n".join(verdict.failures) + "\n", err=True)
        else:
            typer.echo("  SUCCESS\n")
    return code


def export_files(paths: Sequence[str], packs: Sequence[str], output: str | None) -> int:
    """Write files and packs as one; the exit code. Raises typer.BadParameter."""
    try:
        loaded = load_rules([*paths, *map(pack_path, packs)])
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    if loaded.problems:
        typer.echo("\n".join(map(str, loaded.problems)), err=True)
        return EXIT_FAILED
    text, left_out = export_rules(loaded.groups)
    for each in left_out:
        typer.echo(f"left out: {each}", err=True)
    if output is None:
        typer.echo(text, nl=False)
        return EXIT_OK
    try:
        Path(output).write_text(text, "utf-8")
    except OSError as error:
        typer.echo(f"{output}: {error.strerror}", err=True)
        return EXIT_FAILED
    return EXIT_OK
