"""Loads and stores by address for compiled walks, and the 128-bit product: what Numba does not offer by itself.

Wire formats put 8-byte numbers at any byte, and assembling them from single bytes costs eight loads. Besides,
an array that is handed from one compiled function to the next is reference-counted with atomic operations, which
made the scanner ten times slower than the walk itself; an address is only a number. A kernel takes arrays, so that
they stay alive, and hands on `address_of(array)`; an array that a kernel makes itself is freed behind its last mention,
so its address must be taken where it is used. As everywhere in compiled code nothing here checks bounds: the
caller does. All loads are little-endian, as the machines are that Numba runs on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

# An integer in compiled code: Python's and NumPy's mix there, and Numba infers the width.
Int: TypeAlias = Any

_WORD = ir.IntType(64)
LANES = 32  # places that `equal_lanes` looks at in one go


def _instruction(build: Callable[..., Any]) -> Callable[..., Any]:
    """Numba's `intrinsic` without its type, which would ask callers for the typing context."""
    built: Callable[..., Any] = intrinsic(build)
    return built


def _pointer(builder: Any, base: Any, offset: Any, target: Any) -> Any:
    return builder.inttoptr(builder.add(base, offset), target.as_pointer())


def _load(bits: int) -> Any:
    """Code of `load(base, position)`: `bits` bits at `position` bytes behind an address."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        word = builder.load(_pointer(builder, args[0], args[1], ir.IntType(bits)), align=1)
        return word if bits == 64 else builder.zext(word, _WORD)

    return codegen


@_instruction
def address_of(typing_context: Any, array: Any) -> Any:
    """Where a contiguous array's data begins."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.ptrtoint(context.make_array(signature.args[0])(context, builder, args[0]).data, _WORD)

    return types.int64(array), codegen


@_instruction
def load_u8(typing_context: Any, base: Any, position: Any) -> Any:
    """The byte at `position`."""
    return types.uint64(types.int64, types.int64), _load(8)


@_instruction
def load_u32(typing_context: Any, base: Any, position: Any) -> Any:
    """Four bytes from `position` on, as uint64."""
    return types.uint64(types.int64, types.int64), _load(32)


@_instruction
def load_u64(typing_context: Any, base: Any, position: Any) -> Any:
    """Eight bytes from `position` on."""
    return types.uint64(types.int64, types.int64), _load(64)


@_instruction
def get_cell(typing_context: Any, base: Any, index: Any) -> Any:
    """Element `index` of the int64 array at `base`."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        offset = builder.shl(args[1], ir.Constant(_WORD, 3))
        return builder.load(_pointer(builder, args[0], offset, _WORD))

    return types.int64(types.int64, types.int64), codegen


@_instruction
def put_cell(typing_context: Any, base: Any, index: Any, value: Any) -> Any:
    """Set element `index` of the int64 array at `base`."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        offset = builder.shl(args[1], ir.Constant(_WORD, 3))
        builder.store(args[2], _pointer(builder, args[0], offset, _WORD))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), codegen


@_instruction
def fold_multiply(typing_context: Any, left: Any, right: Any) -> Any:
    """The 128-bit product of two uint64, its halves combined by exclusive or."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        wide = ir.IntType(128)
        product = builder.mul(builder.zext(args[0], wide), builder.zext(args[1], wide))
        high = builder.lshr(product, ir.Constant(wide, 64))
        return builder.trunc(builder.xor(product, high), _WORD)

    return types.uint64(types.uint64, types.uint64), codegen


@_instruction
def widen_float32(typing_context: Any, bits: Any) -> Any:
    """The bits of the float64 that equals the float32 with these 32 bits."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        narrow = builder.bitcast(builder.trunc(args[0], ir.IntType(32)), ir.FloatType())
        return builder.bitcast(builder.fpext(narrow, ir.DoubleType()), _WORD)

    return types.uint64(types.uint64), codegen


@_instruction
def put_u8(typing_context: Any, base: Any, position: Any, value: Any) -> Any:
    """Set the byte at `position`."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        byte = ir.IntType(8)
        builder.store(builder.trunc(args[2], byte), _pointer(builder, args[0], args[1], byte))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), codegen


@_instruction
def copy_bytes(typing_context: Any, target: Any, source: Any, size: Any) -> Any:
    """Copy `size` bytes from one address to another; the ranges do not overlap."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = ir.IntType(8).as_pointer()
        function = builder.module.declare_intrinsic("llvm.memcpy", [pointer, pointer, _WORD])
        is_volatile = ir.Constant(ir.IntType(1), 0)
        to, origin = builder.inttoptr(args[0], pointer), builder.inttoptr(args[1], pointer)
        builder.call(function, [to, origin, args[2], is_volatile])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), codegen


@_instruction
def trailing_zeros(typing_context: Any, word: Any) -> Any:
    """How many zero bits stand below the lowest set one; 64 for zero."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 0))

    return types.uint64(types.uint64), codegen


def _equal_bytes(builder: Any, address: Any, byte: Any) -> Any:
    """Which of the bytes from `address` on are `byte`, as a vector of bits."""
    vector, index = ir.VectorType(ir.IntType(8), LANES), ir.IntType(32)
    nothing = ir.Constant(vector, ir.Undefined)
    loaded = builder.load(builder.inttoptr(address, vector.as_pointer()), align=1)
    first = builder.insert_element(nothing, builder.trunc(byte, ir.IntType(8)), ir.Constant(index, 0))
    every = builder.shuffle_vector(first, nothing, ir.Constant(ir.VectorType(index, LANES), [0] * LANES))
    return builder.icmp_unsigned("==", loaded, every)


@_instruction
def equal_lanes(typing_context: Any, place: Any, byte: Any, other_place: Any, other_byte: Any) -> Any:
    """A bit for each of LANES bytes from `place` on: set where it is `byte` and the one at `other_place` is the other.

    Vector instructions of the machine do it: twenty gigabytes a second.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        both = builder.and_(_equal_bytes(builder, args[0], args[1]), _equal_bytes(builder, args[2], args[3]))
        return builder.zext(builder.bitcast(both, ir.IntType(LANES)), _WORD)

    return types.uint64(types.int64, types.uint64, types.int64, types.uint64), codegen


@_instruction
def either_lanes(typing_context: Any, place: Any, byte: Any, other_byte: Any) -> Any:
    """A bit for each of LANES bytes from `place` on: set where it is one of the two."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        either = builder.or_(_equal_bytes(builder, args[0], args[1]), _equal_bytes(builder, args[0], args[2]))
        return builder.zext(builder.bitcast(either, ir.IntType(LANES)), _WORD)

    return types.uint64(types.int64, types.uint64, types.uint64), codegen
