import pytest
import yaml

from swarmscope.alerting.delivery.shown_config import shown_config

CONFIG = """
global:
  smtp_auth_password: hunter2
  slack_api_url: https://hooks.slack.com/services/T0/B0/hunter2
  opsgenie_api_key: hunter2
  http_config: {proxy_url: "http://me:hunter2@proxy:3128"}
route: {receiver: team, group_by: [alertname], matchers: ['token="x"']}
receivers:
- name: team
  webhook_configs:
  - url: http://hook:8080/hunter2?x=hunter2
    http_config:
      authorization: {credentials: hunter2}
      basic_auth: {username: me, password_file: /run/secrets/password}
      oauth2: {client_id: me, client_secret: hunter2, token_url: "http://a/b"}
      http_headers: {X-Key: {values: [hunter2]}}
  pagerduty_configs: [{routing_key: hunter2, service_key_file: /run/secrets/key}]
  slack_configs: [{channel: "#a", bot_token: hunter2}]
  email_configs: [{to: me@example.org, headers: {Subject: hello}}]
"""


def test_no_secret_is_shown_and_all_else_is():
    shown = shown_config(CONFIG)
    assert "hunter2" not in shown
    found = yaml.safe_load(shown)
    assert found["global"]["smtp_auth_password"] == "<secret>"
    assert found["route"] == {"receiver": "team", "group_by": ["alertname"], "matchers": ['token="x"']}
    (receiver,) = found["receivers"]
    basic_auth = receiver["webhook_configs"][0]["http_config"]["basic_auth"]
    assert basic_auth == {"username": "me", "password_file": "/run/secrets/password"}
    assert receiver["pagerduty_configs"] == [{"routing_key": "<secret>", "service_key_file": "/run/secrets/key"}]
    assert receiver["email_configs"] == [{"to": "me@example.org", "headers": {"Subject": "hello"}}]


@pytest.mark.parametrize("text", ["", "a: ["])
def test_what_is_no_configuration_shows_nothing(text):
    assert shown_config(text) == ""
