"""What stands under `global` in a configuration file, where an integration does not say its own.

Source: https://prometheus.io/docs/alerting/latest/configuration/#file-layout-and-global-settings
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

# By kind: the global key, and the integration's own. Alternatives of one secret stand together: own ones, however
# given, leave all global ones out.
_SMTP = (
    "from", "hello", "smarthost", "auth_username", "auth_identity", "require_tls", "tls_config", "force_implicit_tls",
)  # fmt: skip


def _secret(key: str, name: str) -> dict[str, str]:
    """A secret's three forms."""
    return {key + form: name + form for form in ("", "_file", "_env")}


_GIVEN: Mapping[str, Sequence[Mapping[str, str]]] = {
    "slack": (
        _secret("slack_api_url", "api_url") | _secret("slack_app_token", "app_token"),
        {"slack_app_url": "app_url"},
    ),
    "pagerduty": ({"pagerduty_url": "url"},),
    "opsgenie": (
        {"opsgenie_api_url": "api_url"},
        _secret("opsgenie_api_key", "api_key"),
    ),
    "email": (
        *({f"smtp_{name}": name} for name in _SMTP),
        _secret("smtp_auth_password", "auth_password"),
        _secret("smtp_auth_secret", "auth_secret"),
    ),
}  # fmt: skip
# Of integrations that we do not send to, and what delivery reads itself.
_OTHERS = frozenset({
    "resolve_timeout", "http_config", "jira_api_url", "victorops_api_key", "victorops_api_key_file",
    "victorops_api_url", "wechat_api_url", "wechat_api_secret", "wechat_api_secret_file", "wechat_api_corp_id",
    "telegram_api_url", "telegram_bot_token", "telegram_bot_token_file", "webex_api_url", "rocketchat_api_url",
    "rocketchat_token", "rocketchat_token_file", "rocketchat_token_id", "rocketchat_token_id_file",
    "mattermost_webhook_url", "mattermost_webhook_url_file",
})  # fmt: skip
KNOWN = _OTHERS | {key for groups in _GIVEN.values() for group in groups for key in group}
_WITHOUT_HTTP = frozenset({"email"})


def filled(kind: str, own: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of an integration with what is `given` globally."""
    made = dict(own)
    for group in _GIVEN.get(kind, ()):
        if any(name in own for name in group.values()):
            continue
        made |= {name: given[key] for key, name in group.items() if key in given}
    if kind not in _WITHOUT_HTTP and "http_config" in given:
        made.setdefault("http_config", given["http_config"])
    return made
