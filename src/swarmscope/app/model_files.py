"""Files that `swarmscope intelligence … --model` takes: a declared model as JSON, or states as CSV or Parquet."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarmscope.analysis.intelligence.errors import ModelError
from swarmscope.analysis.intelligence.iit3.network import Network, check_network, check_state

_MAX_BYTES = 256 * 2**20
_PARQUET = b"PAR1"  # how such a file begins: https://parquet.apache.org/docs/file-format/
_TIME_COLUMNS = frozenset({"time", "timestamp"})
_SEPARATORS = ",;\t"


@dataclass(frozen=True, eq=False)
class DeclaredModel:
    """A network in a state, as a file declares it."""

    network: Network
    state: tuple[int, ...]
    subsystem: tuple[int, ...] | None
    """The units whose Φ is asked for; all if None."""
    names: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class SeenStates:
    """What units were seen doing: `levels` [n_bins, n_units], on or off, or any finite number."""

    levels: NDArray[np.float64]
    names: tuple[str, ...]


def read_model_file(path: Path) -> DeclaredModel | SeenStates:
    """Return what a file holds, by what it looks like. Raises ModelError, which names the file and the place in it."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ModelError(f"{path}: it has more than {_MAX_BYTES >> 20} MiB")
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror or error}") from None
    try:
        if content.startswith(_PARQUET):
            return _read_parquet(path)
        text = content.decode("utf-8-sig")
        return _read_json(text) if text.lstrip()[:1] in ("{", "[") else _read_csv(text)
    except UnicodeDecodeError:
        raise ModelError(f"{path}: it is neither JSON, nor CSV in UTF-8, nor Parquet") from None
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None


def _read_json(text: str) -> DeclaredModel:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise ModelError(f"it is not JSON: {error}") from None
    if not isinstance(found, Mapping):
        raise ModelError("an object with tpm and state is expected")
    missing = [name for name in ("tpm", "state") if found.get(name) is None]
    if missing:
        raise ModelError(f"{' and '.join(missing)} missing; it has {', '.join(map(str, list(found)[:8])) or 'nothing'}")
    network = check_network(found["tpm"], found.get("cm"))
    state = check_state(found["state"], network.n_units)
    return DeclaredModel(
        network,
        tuple(state.tolist()),
        _read_subsystem(found, network.n_units),
        _read_names(found.get("units"), network.n_units),
    )


def _read_subsystem(found: Mapping[str, Any], n_units: int) -> tuple[int, ...] | None:
    units = found.get("subsystem_nodes")
    if units is None:
        return None
    if not isinstance(units, list) or not all(type(unit) is int for unit in units):
        raise ModelError("subsystem_nodes: a list of units' numbers is expected")
    return None if sorted(units) == list(range(n_units)) else tuple(units)


def _read_names(units: object, n_units: int) -> tuple[str, ...]:
    if units is None:
        return tuple(chr(ord("A") + unit) for unit in range(n_units))
    if not isinstance(units, list) or len(units) != n_units:
        raise ModelError(f"units: a list of {n_units} names is expected")
    return tuple(map(str, units))


def _read_csv(text: str) -> SeenStates:
    lines = text.splitlines()
    first = next((line for line in lines if line.strip()), "")
    separator = max(_SEPARATORS, key=first.count)
    rows = [(number, row) for number, row in enumerate(csv.reader(lines, delimiter=separator), 1) if row]
    if not rows:
        raise ModelError("it is empty")
    has_names = any(_to_number(cell) is None for cell in rows[0][1])
    names = [cell.strip() for cell in rows.pop(0)[1]] if has_names else [""] * len(rows[0][1])
    levels = np.empty((len(rows), len(names)))
    for at, (number, row) in enumerate(rows):
        if len(row) != len(names):
            raise ModelError(f"line {number}: {len(row)} values, where {len(names)} are expected")
        for column, cell in enumerate(row):
            if names[column].lower() not in _TIME_COLUMNS:
                value = _to_number(cell)
                if value is None or not np.isfinite(value):
                    raise ModelError(f"line {number}, column {column + 1}: {cell!r} is no finite number")
                levels[at, column] = value
    return _without_time(levels, names)


def _to_number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _read_parquet(path: Path) -> SeenStates:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise ModelError(f"it is not Parquet: {error}") from None
    names = [str(name) for name in table.column_names if str(name).lower() not in _TIME_COLUMNS]
    levels = np.empty((table.num_rows, len(names)))
    for at, name in enumerate(names):
        column = table.column(name)
        if not (
            pa.types.is_integer(column.type) or pa.types.is_floating(column.type) or pa.types.is_boolean(column.type)
        ):
            raise ModelError(f"column {name!r}: it is of the type {column.type}, which is no number")
        levels[:, at] = column.cast(pa.float64() if not pa.types.is_boolean(column.type) else pa.uint8()).to_numpy()
    bad = np.argwhere(~np.isfinite(levels))
    if len(bad):
        row, unit = (int(place) for place in bad[0])
        raise ModelError(f"row {row}, column {names[unit]!r}: there is no finite number")
    return _without_time(levels, names)


def _without_time(levels: NDArray[np.float64], names: Sequence[str]) -> SeenStates:
    kept = [at for at, name in enumerate(names) if name.lower() not in _TIME_COLUMNS]
    if len(kept) < 2 or not len(levels):
        raise ModelError(f"{len(kept)} units in {len(levels)} rows; rows are times, and two units or more are columns")
    chosen = tuple(names[at] or f"unit {at}" for at in kept)
    if len(set(chosen)) < len(chosen):
        raise ModelError(f"two columns have the same name: {', '.join(chosen)}")
    return SeenStates(np.ascontiguousarray(levels[:, kept]), chosen)
