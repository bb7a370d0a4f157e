"""Type, help and unit of metric families, from both versions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.metrics import MetadataColumns
from swarmscope.receivers.remote_write.schema import METRIC_KINDS
from swarmscope.receivers.remote_write.series_scan import SeriesScan
from swarmscope.receivers.wire.key_hash import mix_columns
from swarmscope.receivers.wire.scanner import Scan

# Series of one family carry these suffixes; version 2 repeats the family's metadata at each of them.
_SUFFIXES = {
    "histogram": ("_bucket", "_count", "_sum"),
    "gaugehistogram": ("_bucket", "_gcount", "_gsum"),
    "summary": ("_count", "_sum"),
}


def _kind(number: int) -> str:
    return METRIC_KINDS[number] if 0 <= number < len(METRIC_KINDS) else METRIC_KINDS[0]


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def decode_family_metadata(scan: Scan) -> MetadataColumns | None:
    """Version 1's MetricMetadata messages; families without a name are left out."""
    table = scan.table("MetricMetadata")
    names, helps, units = table.texts("metric_family_name"), table.texts("help"), table.texts("unit")
    columns = MetadataColumns([], [], [], [])
    for row, number in enumerate(table.ints("type").tolist()):
        name = _text(_bytes(scan.buffer, int(names.start[row]), int(names.length[row])))
        if not name:
            continue
        columns.metric.append(name)
        columns.kind.append(_kind(number))
        columns.unit.append(_text(_bytes(scan.buffer, int(units.start[row]), int(units.length[row]))))
        columns.help.append(_text(_bytes(scan.buffer, int(helps.start[row]), int(helps.length[row]))))
    return columns if columns.metric else None


def decode_series_metadata(
    scan: SeriesScan, chosen: NDArray[np.bool_], known: set[int], seed: int
) -> tuple[MetadataColumns | None, list[int]]:
    """Version 2's metadata of the chosen series, but for what is `known`; and the keys of what is new.

    A key stands for (metric name, type, help, unit). Senders repeat them with each series in each request, so that
    only those never seen before become strings.
    """
    details, symbols = scan.details, scan.symbols
    if details is None or symbols is None:
        return None, []
    n_symbols = len(symbols.start)
    named = chosen & (details.name >= 0) & (details.help < n_symbols) & (details.unit < n_symbols)
    rows = np.flatnonzero(named & ((details.kind != 0) | (details.help != 0) | (details.unit != 0)))
    if not len(rows):
        return None, []
    hashes = symbols.hash
    columns = np.stack(
        [
            hashes[details.name[rows]],
            details.kind[rows].astype(np.uint64),
            hashes[details.help[rows]],
            hashes[details.unit[rows]],
        ]
    )
    keys, first = np.unique(mix_columns(columns, seed), return_index=True)
    new = [
        (key, int(rows[place])) for key, place in zip(keys.tolist(), first.tolist(), strict=True) if key not in known
    ]
    if not new:
        return None, []
    families: dict[str, tuple[str, str, str]] = {}
    for _, row in sorted(new, key=lambda entry: entry[1]):
        kind = _kind(int(details.kind[row]))
        name, text, unit = (
            _symbol(scan, int(ref)) for ref in (details.name[row], details.help[row], details.unit[row])
        )
        families[_family(name, kind)] = (kind, unit, text)
    columns_out = MetadataColumns(
        list(families),
        [entry[0] for entry in families.values()],
        [entry[1] for entry in families.values()],
        [entry[2] for entry in families.values()],
    )
    return columns_out, [key for key, _ in new]


def _family(name: str, kind: str) -> str:
    for suffix in _SUFFIXES.get(kind, ()):
        if name.endswith(suffix) and len(name) > len(suffix):
            return name[: -len(suffix)]
    return name


def _bytes(buffer: NDArray[np.uint8], start: int, length: int) -> bytes:
    return buffer[start : start + length].tobytes()


def _symbol(scan: SeriesScan, ref: int) -> str:
    assert scan.symbols is not None  # noqa: S101 (version 2 only)
    return _text(_bytes(scan.body, int(scan.symbols.start[ref]), int(scan.symbols.length[ref])))
