"""Warming up compiles every kernel of the package."""

import importlib
import pkgutil

from numba.core.registry import CPUDispatcher

from swarmscope.query import traceql
from swarmscope.query.traceql.warm_up import warm_up


def test_no_kernel_is_left_out():
    warm_up()
    kernels = {
        f"{module.name}.{name}": kernel
        for module in pkgutil.iter_modules(traceql.__path__)
        for name, kernel in vars(importlib.import_module(f"{traceql.__name__}.{module.name}")).items()
        if isinstance(kernel, CPUDispatcher) and kernel.py_func.__module__.startswith(traceql.__name__)
    }
    inlined = {"value_decoding._varint", "value_decoding._field", "value_decoding._element"}
    inlined |= {"comparisons._holds", "comparisons._text_holds", "trace_facts._is_before"}
    assert kernels.keys() >= inlined
    assert not [name for name, kernel in kernels.items() if not kernel.signatures and name not in inlined]
