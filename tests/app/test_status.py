import yaml

from swarmscope.app.settings import Settings
from swarmscope.app.status import ProgramStatus

JOB = {
    "job_name": "agents",
    "bearer_token": "hidden-1",
    "params": {"key": ["hidden-2"]},
    "http_sd_configs": [{"url": "http://targets", "basic_auth": {"username": "u", "password": "hidden-3"}}],
    "proxy_url": "http://u:hidden-4@proxy",
}


def test_the_configuration_is_shown_without_secrets():
    settings = Settings(auth={"tokens": ["hidden-5"]}, scrape={"scrape_configs": [JOB]})
    shown = ProgramStatus(settings, store=None).config_yaml()
    assert "hidden" not in shown
    jobs = yaml.safe_load(shown)["scrape"]["scrape_configs"]
    assert jobs == [{"job_name": "agents", "http_sd_configs": [{"url": "http://targets"}]}]
