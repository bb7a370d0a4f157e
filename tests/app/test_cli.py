import subprocess
import sys

import pytest
from typer.testing import CliRunner

from swarmscope import __version__
from swarmscope.app.cli import app

SERVER_PACKAGES = ("numba", "numpy", "pyarrow", "chdb", "grpc", "starlette", "httpx")
# What the light install does not have.
WITHOUT_SERVER = """
import sys
for name in (
    "aiohttp cramjam hyperscan lark llvmlite orjson pydantic_settings re2 scipy uvicorn yaml "
    "numba numpy pyarrow chdb grpc starlette"
).split():
    sys.modules[name] = None
sys.argv[0] = "swarmscope"
import swarmscope.app.cli
swarmscope.app.cli.main()
"""


def _run_without_server(*arguments):
    command = [sys.executable, "-c", WITHOUT_SERVER, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_version():
    assert CliRunner().invoke(app, ["version"]).stdout == f"swarmscope {__version__}\n"


def test_command_line_loads_nothing_of_the_server():
    script = f"import sys, swarmscope.app.cli; print([m for m in {SERVER_PACKAGES!r} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_query_client_loads_nothing_of_the_server():
    script = (
        f"import sys, swarmscope.app.client.command;print([m for m in {SERVER_PACKAGES[:-1]!r} if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_missing_server_packages_are_explained():
    script = "import sys; sys.modules['yaml'] = None; sys.argv = ['s', 'up']; import swarmscope.app.cli as c; c.main()"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "swarmscope[server]" in result.stderr


@pytest.mark.parametrize("command", ["logs", "ingest", "query"])
def test_help_needs_the_light_install_only(command):
    result = _run_without_server(command, "--help")
    assert result.returncode == 0, result.stderr
    assert "Usage: " in result.stdout


def test_sending_logs_needs_the_server_packages_and_says_so(tmp_path):
    result = _run_without_server("ingest", "logs", str(tmp_path / "x.log"))
    assert result.returncode == 2
    assert "swarmscope[server]" in result.stderr


def test_asking_for_logs_needs_the_light_install_only():
    result = _run_without_server("logs", "{a='b'}", "--url", "http://127.0.0.1:9")
    assert result.returncode == 1
    assert "cannot be reached" in result.stderr


def test_config_check_of_a_good_file(tmp_path):
    file = tmp_path / "s.yaml"
    file.write_text("scrape: {scrape_configs: [{job_name: a, static_configs: [{targets: ['127.0.0.1:1']}]}]}\n")
    result = CliRunner().invoke(app, ["config", "check", str(file)])
    assert result.exit_code == 0
    assert "fine" in result.stdout


def test_config_check_of_a_bad_file(tmp_path):
    file = tmp_path / "s.yaml"
    file.write_text("prot: 1\n")
    result = CliRunner().invoke(app, ["config", "check", str(file)])
    assert result.exit_code == 2
    assert "did you mean port?" in result.stderr


def test_config_check_reads_scrape_jobs_too(tmp_path):
    file = tmp_path / "s.yaml"
    file.write_text("scrape: {scrape_configs: [{job_nam: a}]}\n")
    result = CliRunner().invoke(app, ["config", "check", str(file)])
    assert result.exit_code == 2
    assert "job_nam" in result.stderr


def test_up_with_bad_settings_starts_nothing(tmp_path):
    file = tmp_path / "s.yaml"
    file.write_text("port: 99999\n")
    result = CliRunner().invoke(app, ["up", "--config", str(file), "--data", str(tmp_path / "data")])
    assert result.exit_code == 2
    assert "port" in result.stderr
    assert not (tmp_path / "data").exists()
