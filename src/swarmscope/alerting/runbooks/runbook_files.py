"""Runbooks out of files: YAML between two lines `---`, then Markdown."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from swarmscope.alerting.placed_yaml import BadFileError, FileProblem, checked, read_yaml
from swarmscope.alerting.runbooks.runbook_model import ActionModel, RunbookModel

_MARK = "---"
_MAX_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Runbook:
    """One runbook, as its file has it."""

    name: str
    title: str
    matchers: tuple[str, ...]
    actions: tuple[ActionModel, ...]
    text: str  # Markdown
    file: str

    def action(self, name: str) -> ActionModel | None:
        """The action of this name."""
        return next((each for each in self.actions if each.name == name), None)


@dataclass(frozen=True, slots=True)
class LoadedRunbooks:
    """All that could be read, by name, and what could not."""

    runbooks: dict[str, Runbook]
    problems: tuple[FileProblem, ...]


def parse_runbook(text: str, file: str) -> Runbook:
    """One runbook. Raises BadFileError with line and column of everything that is wrong in its front matter."""
    lines = text.splitlines(keepends=True)
    front, body, first = "", text, 0
    if lines and lines[0].strip() == _MARK:
        end = next((at for at, line in enumerate(lines[1:], 1) if line.strip() == _MARK), None)
        if end is None:
            raise BadFileError([FileProblem(file, 1, 1, "the front matter does not end with a line '---'")])
        # Blank lines in place of what stands before, so that places are those of the file.
        front, body, first = "\n" + "".join(lines[1:end]), "".join(lines[end + 1 :]), 1
    said = checked(RunbookModel, read_yaml(front, file)) if first else RunbookModel()
    title = said.title or next((line.strip("# \n") for line in body.splitlines() if line.startswith("#")), "")
    name = said.name or Path(file).stem
    return Runbook(name, title or name, tuple(said.alerts), tuple(said.actions), body.strip() + "\n", file)


def load_runbooks(folder: Path, old: LoadedRunbooks | None = None) -> LoadedRunbooks:
    """All `*.md` of a folder, none where there is no such folder (yet).

    Of a file that is broken the `old` runbook stays, and the problem is told.
    """
    found: dict[str, Runbook] = {}
    problems: list[FileProblem] = []
    before = {each.file: each for each in old.runbooks.values()} if old is not None else {}
    if folder.exists() and not folder.is_dir():
        return LoadedRunbooks({}, (FileProblem(str(folder), 0, 0, "this is no folder"),))
    for path in sorted(folder.glob("*.md")):
        runbook: Runbook | None
        try:
            if path.stat().st_size > _MAX_BYTES:
                raise BadFileError([FileProblem(str(path), 0, 0, f"longer than {_MAX_BYTES} bytes")])
            runbook = parse_runbook(path.read_text(encoding="utf-8"), str(path))
        except (OSError, UnicodeDecodeError) as error:
            problems.append(FileProblem(str(path), 0, 0, str(error)))
            runbook = before.get(str(path))
        except BadFileError as error:
            problems += error.problems
            runbook = before.get(str(path))
        if runbook is None:
            continue
        if runbook.name in found:
            problems.append(FileProblem(str(path), 0, 0, f"{found[runbook.name].file} is called {runbook.name} too"))
            continue
        found[runbook.name] = runbook
    return LoadedRunbooks(found, tuple(problems))


def files_state(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """What changes when a runbook of the folder does: names, times of change and sizes."""
    found = []
    for path in sorted(folder.glob("*.md")):
        with contextlib.suppress(OSError):
            stat = path.stat()
            found.append((path.name, stat.st_mtime_ns, stat.st_size))
    return tuple(found)
