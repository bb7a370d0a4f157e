"""Reading the settings and telling what is wrong with them."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.text import Text

from swarmscope.app.settings import Settings, SettingsError, load_settings
from swarmscope.receivers.scrape import ScrapeConfigError, ScrapeSettings, load_scrape_config

EXIT_MISUSED = 2


def load_scrape_jobs(settings: Settings) -> ScrapeSettings:
    """The scrape jobs that the settings name, in a file or inline. Raises ScrapeConfigError."""
    scrape = settings.scrape
    if scrape.config_file is not None:
        if scrape.scrape_configs or scrape.global_:
            raise ScrapeConfigError("scrape.config_file and scrape.scrape_configs exclude each other")
        return load_scrape_config(scrape.config_file)
    content: dict[str, object] = {"scrape_configs": scrape.scrape_configs}
    if scrape.global_:
        content["global"] = scrape.global_
    return load_scrape_config(content)


def show_problems(error: SettingsError | ScrapeConfigError) -> None:
    """Print what is wrong on standard error, a key at a time."""
    console = Console(stderr=True, soft_wrap=True)
    console.print(Text("The settings cannot be used:", style="bold red"))
    if isinstance(error, ScrapeConfigError):
        console.print(Text(f"  {error}"))
        return
    for problem in error.problems:
        line = Text("  ")
        line.append(problem.path, style="bold")
        if problem.value:
            line.append(f" = {problem.value}", style="yellow")
        line.append(f"  ({problem.source})\n", style="dim")
        line.append(f"    {problem.allowed}")
        console.print(line)


def check(file: Path, agent_file: Path | None) -> int:
    """Check a file without starting anything; the exit code."""
    try:
        settings = load_settings(file=file, agent_file=agent_file, environ={})
        load_scrape_jobs(settings)
    except (SettingsError, ScrapeConfigError) as error:
        show_problems(error)
        return EXIT_MISUSED
    Console().print(f"{file}: fine", highlight=False)
    return 0
