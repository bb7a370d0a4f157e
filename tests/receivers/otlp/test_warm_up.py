from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest

from swarmscope.receivers.otlp.warm_up import _to_request, warm_up

MODULES = ("request_columns", "float_samples", "delta_totals", "native_histograms")


def signatures() -> dict[str, int]:
    found = {}
    for name in (*(f"otlp.{module}" for module in MODULES), "wire.scan_kernel", "wire.key_hash"):
        module = importlib.import_module(f"swarmscope.receivers.{name}")
        for attribute, value in vars(module).items():
            if hasattr(value, "signatures"):
                found[f"{name}.{attribute}"] = len(value.signatures)
    return found


@pytest.mark.parametrize("convert", [False, True])
def test_nothing_is_compiled_after_warming_up(make_exchange: Any, convert: bool) -> None:
    warm_up()
    before = signatures()
    exchange = make_exchange(convert_histograms_to_nhcb=convert)
    for body in (np.frombuffer(_to_request(), np.uint8), np.frombuffer(_to_request(), np.uint8).copy()):
        decoded = exchange.decoder.decode(body, "default")
        exchange.sink.write_metrics(decoded.batch)
        exchange.decoder.take_back(decoded)
        exchange.decoder.confirm(decoded)
    assert signatures() == before
