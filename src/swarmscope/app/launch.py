"""`swarmscope up`: settings, compiled kernels, then the program until a signal ends it."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from swarmscope import __version__
from swarmscope.app.allocator import bound_arenas
from swarmscope.app.checking import EXIT_MISUSED, load_scrape_jobs, show_problems
from swarmscope.app.code_pages import release_code_pages
from swarmscope.app.compiling import compile_kernels
from swarmscope.app.kernel_cache import is_complete, mark_complete, prepare_cache
from swarmscope.app.ports import PortInUseError, spell_address
from swarmscope.app.settings import Settings, SettingsError, load_settings
from swarmscope.app.unneeded_imports import refuse_unneeded_imports
from swarmscope.instrument.logs import configure_logging
from swarmscope.model.errors import SwarmscopeError, UnavailableError
from swarmscope.receivers.scrape.config_model import ScrapeConfigError, ScrapeSettings

_log = logging.getLogger(__name__)
EXIT_FAILED = 1
# Promised is an end within 10 s of the signal; what has not ended by then is cut off, the journal keeps the rest.
_LAST_CALL_S = 9.5


def launch(flags: dict[str, Any], config: Path | None, agent_config: Path | None) -> int:
    """Run the program; the exit code is 0 after a signal, 1 when it cannot run, 2 when the settings are wrong."""
    cache = prepare_cache()
    bound_arenas()
    refuse_unneeded_imports()
    # The only child process is started with exec at once; gRPC's fork handlers would only write a remark about it.
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")
    try:
        settings = load_settings(flags, file=config, agent_file=agent_config)
        jobs = load_scrape_jobs(settings)
    except (SettingsError, ScrapeConfigError) as error:
        show_problems(error)
        return EXIT_MISUSED
    configure_logging(settings.log.level, settings.log.format)
    console = Console(stderr=True, soft_wrap=True)
    try:
        return _serve(settings, jobs, cache, console)
    except PortInUseError as error:
        console.print(Text(f"{error}. Stop it, or choose another port.", style="bold red"))
    except OSError as error:
        ours = error.strerror if error.filename is None else None
        console.print(Text(ours or str(error), style="bold red"))
    except KeyboardInterrupt:
        return 130
    return EXIT_FAILED


def _serve(settings: Settings, jobs: ScrapeSettings, cache: Path, console: Console) -> int:
    # Imported here: they bring Numba, which reads where its cache is when it is imported.
    import uvloop

    from swarmscope.app.program import Program
    from swarmscope.app.stages.listening import Listening, bind_listeners
    from swarmscope.app.warming import warm_up
    from swarmscope.schema.migrations import NewerSchemaError
    from swarmscope.store.embedded.folder_check import check_folder
    from swarmscope.store.embedded.folder_lock import FolderInUseError
    from swarmscope.store.embedded.unusable import StoreUnusableError

    def load_kernels() -> None:
        release_code_pages()
        warm_up(lambda part: None)
        mark_complete(cache)
        release_code_pages()

    def show(addresses: Sequence[Listening]) -> None:
        _show_addresses(addresses, settings, Console())
        # All is compiled, so what is left is to load it, which need not keep the first request waiting.
        if settings.api.warm_up:
            threading.Thread(target=load_kernels, name="warm-up", daemon=True).start()

    listeners = bind_listeners(settings)

    async def main() -> None:
        await Program(settings, jobs, show, last_call).run(listeners)

    try:
        if not is_complete(cache):
            # Compiling takes a minute: what keeps the folder from being opened is told before.
            check_folder(settings.data)
            with _progress(console) as on_part:
                if not compile_kernels(on_part):
                    # Slow path: this process then keeps what the compiler leaves behind.
                    warm_up(on_part)
        uvloop.run(main())
    except (FolderInUseError, NewerSchemaError, StoreUnusableError) as error:
        console.print(Text(str(error), style="bold red"))
        return EXIT_FAILED
    except SwarmscopeError as error:
        # A file that says whom to tell of alerts is wrong, or the state's file cannot be used.
        console.print(Text(str(error), style="bold red"))
        return EXIT_FAILED if isinstance(error, UnavailableError) else EXIT_MISUSED
    return 0


def last_call() -> None:
    """From a signal on, end the process for certain in time, whatever hangs."""

    def cut_off() -> None:
        _log.error(
            "not everything ended within %.1f s; what is in the journal is loaded at the next start", _LAST_CALL_S
        )
        os._exit(EXIT_FAILED)

    timer = threading.Timer(_LAST_CALL_S, cut_off)
    timer.daemon = True
    timer.start()


@contextlib.contextmanager
def _progress(console: Console) -> Iterator[Callable[[str], None]]:
    """A line that names what is being compiled; on a terminal it is overwritten, elsewhere there is a line a part."""
    words = "First start of this version: compiling"
    if not console.is_terminal:
        yield lambda name: console.print(f"{words} {name}", highlight=False)
        return
    with console.status(f"{words} …") as status:
        yield lambda name: status.update(f"{words} {name} …")


def _show_addresses(addresses: Sequence[Any], settings: Settings, console: Console) -> None:
    table = Table("what", "where", box=SIMPLE_HEAD, title=f"Swarmscope {__version__}", title_justify="left")
    for address in addresses:
        where = spell_address(address.host, address.port)
        table.add_row(address.purpose, f"http://{where}{address.path}" if address.path else where)
    table.add_row("Data", str(settings.data))
    console.print(table)
    console.print(Text("Ctrl-C ends it.", style="dim"))
    console.file.flush()  # a log file or a pipe shall have it now, not at the end
