"""Eight bytes at a time in and out of byte arrays, for compiled code; little-endian, any alignment, no bounds check.

Numba has no such access of its own. Callers keep eight bytes of slack behind whatever they read or write.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

_WORD = ir.IntType(64)


def _address(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), _WORD.as_pointer())


def _declare_store(typing_context: Any, out: Any, at: Any, word: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.store(arguments[2], _address(context, builder, signature.args[0], arguments[0], arguments[1]), align=1)
        return context.get_dummy_value()

    return types.void(out, types.int64, types.uint64), generate


def _declare_load(typing_context: Any, source: Any, at: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load(_address(context, builder, signature.args[0], arguments[0], arguments[1]), align=1)

    return types.uint64(source, types.int64), generate


def _declare_trailing_zeros(typing_context: Any, word: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.uint64), generate


def _declare_product_high(typing_context: Any, left: Any, right: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        wide = ir.IntType(128)
        product = builder.mul(builder.zext(arguments[0], wide), builder.zext(arguments[1], wide))
        return builder.trunc(builder.lshr(product, ir.Constant(wide, 64)), _WORD)

    return types.uint64(types.uint64, types.uint64), generate


store_word: Any = intrinsic(_declare_store)
"""`store_word(out uint8[:], at, word uint64)` writes eight bytes."""
load_word: Any = intrinsic(_declare_load)
"""`load_word(source uint8[:], at) -> uint64` reads eight bytes."""
trailing_zeros: Any = intrinsic(_declare_trailing_zeros)
"""`trailing_zeros(word uint64) -> int64`, 64 for zero."""
product_high: Any = intrinsic(_declare_product_high)
"""`product_high(left, right) -> uint64`: the upper half of a 128-bit product."""
