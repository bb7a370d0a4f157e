"""After warming up nothing is compiled any more."""

import subprocess
import sys

SCRIPT = """
import numpy as np
from numba.core import event
from swarmscope.receivers.remote_write import warm_up as remote_write
from swarmscope.receivers.wire import warm_up as wire
told = []
wire.warm_up(told.append)
remote_write.warm_up(told.append)
assert told == [*wire.KERNELS, *remote_write.KERNELS], told

class Recorder(event.Listener):
    seen = []
    def on_start(self, happening):
        self.seen.append(str(happening.data["dispatcher"]))
    def on_end(self, happening):
        pass

event.register("numba:compile", Recorder())
sys_path_request = {request!r}
from swarmscope.receivers.remote_write.decode import DecodeContext, decode_write_request
from swarmscope.testing.sinks import DictSeriesIndex
for body, proto in sys_path_request:
    decode_write_request(np.frombuffer(body, np.uint8), proto, DecodeContext(DictSeriesIndex()))
assert not Recorder.seen, Recorder.seen
"""


def test_a_real_request_compiles_nothing_after_warming_up():
    from swarmscope.receivers.remote_write.schema import V1, V2
    from tests.receivers.remote_write.test_decode import rich_request

    first, second = rich_request(3)
    script = SCRIPT.replace("{request!r}", repr([(first, V1), (second, V2)]))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
