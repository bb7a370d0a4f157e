"""What holds for the repository as a whole: sizes, names, and nothing that belongs to one machine."""

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
MAX_FUNCTION_LINES, MAX_FILE_LINES, MAX_PARAMETERS = 60, 600, 6
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "base", "manager", "misc"}
SOURCES = sorted((ROOT / "src").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))


class Function(NamedTuple):
    """What the tests ask of one function."""

    place: str
    n_lines: int  # without the docstring
    n_parameters: int
    is_command: bool  # whose parameters are options, declared there and nowhere else
    is_annotated: bool


class Source(NamedTuple):
    """What the tests ask of one file; the tree is not kept."""

    functions: list[Function]
    classes: list[str]


@cache
def _source(path: Path) -> Source:
    functions, classes = [], []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef):
            classes.append(node.name)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            functions.append(_function(path, node))
    return Source(functions, classes)


def _function(path: Path, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Function:
    arguments = node.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    parameters = tuple(argument for argument in every if argument.arg not in ("self", "cls"))
    return Function(
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}",
        _n_lines(node),
        len(parameters),
        any("command" in ast.unparse(decorator) for decorator in node.decorator_list),
        node.returns is not None and all(argument.annotation is not None for argument in parameters),
    )


def _n_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    assert node.end_lineno is not None
    lines = node.end_lineno - node.lineno + 1
    first = node.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        assert first.end_lineno is not None
        lines -= first.end_lineno - first.lineno + 1
    return lines


def _functions() -> Iterator[Function]:
    for path in SOURCES:
        yield from _source(path).functions


def test_functions_are_short():
    assert [f"{each.place}: {each.n_lines} lines" for each in _functions() if each.n_lines > MAX_FUNCTION_LINES] == []


def test_functions_have_few_parameters():
    found = [each for each in _functions() if each.n_parameters > MAX_PARAMETERS and not each.is_command]
    assert [f"{each.place}: {each.n_parameters}" for each in found] == []


def test_files_are_short():
    lengths = {path.relative_to(ROOT): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES + TESTS}
    assert {str(path): n for path, n in lengths.items() if n > MAX_FILE_LINES} == {}


def test_half_of_all_files_are_below_200_lines():
    lengths = sorted(len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES)
    assert lengths[len(lengths) // 2] < 200


def test_everything_is_annotated():
    assert [each.place for each in _functions() if not each.is_annotated] == []


def test_nothing_has_a_name_that_says_nothing():
    found = [str(path.relative_to(ROOT)) for path in (ROOT / "src").rglob("*") if path.stem.lower() in FORBIDDEN_NAMES]
    for path in SOURCES:
        found += [
            name for name in _source(path).classes if re.findall("[A-Z][a-z]*", name)[-1].lower() in FORBIDDEN_NAMES
        ]
    assert found == []


def test_tests_mirror_the_packages():
    packages = {path.name for path in (ROOT / "src" / "swarmscope").iterdir() if path.is_dir()}
    folders = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders <= packages | {"bench", "clients", "data", "integration"}


@cache
def _tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    return [ROOT / name for name in listed.decode().split("\0") if name and (ROOT / name).is_file()]


def _texts() -> list[tuple[Path, str]]:
    texts = []
    for path in _tracked():
        try:
            texts.append((path, path.read_text(encoding="utf-8")))
        except UnicodeDecodeError:
            continue  # recorded bytes
    return texts


# Spelt in pieces, or this file would find itself.
_ABSOLUTE_PATH = re.compile(r"(?<![\w./~-])/(?:" + "|".join(["home", "root", "work", "Users"]) + r")/[\w.-]")
_REGISTRY = re.compile(
    "|".join(
        ["pypi" + r"\.org", "pythonhosted" + r"\.org", "--" + "index-url", "--" + "find-links", "npmjs" + r"\.org"]
    )
)


@pytest.mark.parametrize(("pattern", "what"), [(_ABSOLUTE_PATH, "a machine's path"), (_REGISTRY, "a package index")])
def test_no_tracked_file_names(pattern, what):
    found = [f"{path.relative_to(ROOT)}: {match.group()}" for path, text in _texts() if (match := pattern.search(text))]
    assert found == [], what


def test_patterns_above_find_what_they_are_for():
    assert _ABSOLUTE_PATH.search("open('" + "/ho" + "me/someone/x')")
    assert not _ABSOLUTE_PATH.search("https://example.org/" + "work/x")
    assert _REGISTRY.search("https://files.pythonhosted" + ".org/packages")


def _declared() -> set[str]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)
    lines = [
        *project["project"]["dependencies"],
        *project["project"]["optional-dependencies"]["server"],
        *project["dependency-groups"]["dev"],
    ]
    return set(lines)


def _locked() -> dict[str, str]:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    return {canonicalize_name(name): version for name, version in re.findall(r"^([\w.-]+)==([\w.!+-]+)", text, re.M)}


def test_lock_file_satisfies_every_declared_dependency():
    locked = _locked()
    for line in sorted(_declared()):
        requirement = Requirement(line)
        version = locked.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} is not locked: run `make lock`"
        assert requirement.specifier.contains(version, prereleases=True), f"{line}, but {version} is locked"


def test_every_locked_package_has_hashes():
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    blocks = re.split(r"^(?=[\w.-]+==)", text, flags=re.M)
    assert len(blocks) > 60
    assert [block.split()[0] for block in blocks if block.strip() and "--hash=sha256:" not in block] == []
