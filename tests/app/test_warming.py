import subprocess
import sys
from pathlib import Path

import pytest
from tests.receivers.scrape.served_target import Target, serving

PAGE = b'# TYPE s counter\ns_total{a="x"} 3\nt{b="y"} NaN\n'


@pytest.mark.slow
def test_after_the_warm_up_nothing_is_compiled(tmp_path):
    with serving(Target(PAGE)) as address:
        arguments = [sys.executable, "-m", "tests.app.uncompiled_round", str(tmp_path / "data"), address]
        done = subprocess.run(arguments, capture_output=True, text=True, cwd=Path(__file__).parents[2], check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    assert done.stdout == ""
