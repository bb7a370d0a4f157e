"""Arrays that compiled code hands on without counting who holds them.

Every call of a compiled function counts its arrays' references up and down with atomic operations, and a forest is
more than a dozen arrays: that was half of all the time. Whoever borrows an array holds it for as long itself.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.extending import intrinsic

from swarmscope.analysis.agents.forest_tables import Records


def _borrowed(typing_context: Any, array: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        held = context.make_array(signature.args[0])(context, builder, args[0])
        held.meminfo = ir.Constant(held.meminfo.type, None)
        held.parent = ir.Constant(held.parent.type, None)
        return held._getvalue()

    return array(array), codegen


# The same array, with no reference of its own; not to be returned.
borrowed: Records = intrinsic(_borrowed)
