"""The SDK needs nothing of the server, and loads quickly."""

import subprocess
import sys

PROGRAM = """
import sys, time
began_s = time.process_time()
from swarmscope import sdk
took_s = time.process_time() - began_s
sdk.make_telemetry(sdk.SdkSettings("http://127.0.0.1:9", shutdown_timeout_s=0))
sdk.IntelligenceMetricsCollector()
ours = {name for name in sys.modules if name.startswith("swarmscope.") and not name.startswith("swarmscope.sdk")}
heavy = {"numba", "numpy", "pyarrow", "chdb", "grpc", "prometheus_client", "pydantic", "typer"} & set(sys.modules)
print(took_s, sorted(ours | heavy))
"""


def test_import_is_light_and_alone():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=True)
    took_s, found = done.stdout.split(" ", 1)
    assert found.strip() == "[]"
    assert float(took_s) < 3, "CPU seconds; 0.4 on an idle machine"
