"""Settings of Slack. Source: https://prometheus.io/docs/alerting/latest/configuration/#slack_config"""

from __future__ import annotations

from typing import Any

from pydantic import Field, SecretStr, field_validator, model_validator

from swarmscope.integrations.http import HttpSettings
from swarmscope.integrations.integration_settings import DurationMs, Settings, TemplateText
from swarmscope.integrations.notification_templates import default_templates
from swarmscope.model.errors import QuerySyntaxError

POST_MESSAGE = "https://slack.com/api/chat.postMessage"


class ConfirmSettings(Settings):
    """A question before an action."""

    text: TemplateText
    title: TemplateText = ""
    ok_text: TemplateText = ""
    dismiss_text: TemplateText = ""


class ActionSettings(Settings):
    """One of `actions`: a button."""

    type: TemplateText
    text: TemplateText
    url: TemplateText = ""
    style: TemplateText = ""
    name: TemplateText = ""
    value: TemplateText = ""
    confirm: ConfirmSettings | None = None

    @model_validator(mode="after")
    def _whole(self) -> ActionSettings:
        if not self.url and not self.name:
            raise ValueError("missing name or url in Slack action configuration")
        return self


class FieldSettings(Settings):
    """One of `fields`."""

    title: TemplateText
    value: TemplateText
    short: bool | None = None


class SlackSettings(Settings):
    """One of `slack_configs`."""

    api_url: SecretStr | None = None
    api_url_file: str | None = None
    api_url_env: str | None = None
    app_token: SecretStr | None = None
    app_token_file: str | None = None
    app_token_env: str | None = None
    app_url: str = POST_MESSAGE
    channel: TemplateText = ""
    username: TemplateText = '{{ template "slack.default.username" . }}'
    color: TemplateText = '{{ if eq .Status "firing" }}danger{{ else }}good{{ end }}'
    title: TemplateText = '{{ template "slack.default.title" . }}'
    title_link: TemplateText = '{{ template "slack.default.titlelink" . }}'
    pretext: TemplateText = '{{ template "slack.default.pretext" . }}'
    text: TemplateText = '{{ template "slack.default.text" . }}'
    message_text: TemplateText = ""
    fields: list[FieldSettings] = Field(default_factory=list)
    short_fields: bool = False
    footer: TemplateText = '{{ template "slack.default.footer" . }}'
    fallback: TemplateText = '{{ template "slack.default.fallback" . }}'
    callback_id: TemplateText = '{{ template "slack.default.callbackid" . }}'
    icon_emoji: TemplateText = '{{ template "slack.default.iconemoji" . }}'
    icon_url: TemplateText = '{{ template "slack.default.iconurl" . }}'
    image_url: TemplateText = ""
    thumb_url: TemplateText = ""
    link_names: bool = False
    mrkdwn_in: list[str] = Field(default_factory=lambda: ["fallback", "pretext", "text"])
    actions: list[ActionSettings] = Field(default_factory=list)
    http_config: HttpSettings = HttpSettings()
    timeout: DurationMs = 30_000
    # Ours.
    blocks: list[dict[str, Any]] = Field(default_factory=list)  # texts in them are templates
    threads: bool = True  # later messages of a group go below the first, which shows how things are
    chart: bool = True  # a picture of the query, where a token allows uploads

    @field_validator("blocks")
    @classmethod
    def _are_templates(cls, blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
        try:
            for text in texts_of(blocks):
                default_templates().check(text)
        except QuerySyntaxError as error:
            raise ValueError(f"not a template: {error}") from None
        return blocks

    @model_validator(mode="after")
    def _one_way_in(self) -> SlackSettings:
        if not self.has_secret("api_url") and not self.has_secret("app_token"):
            raise ValueError("no Slack API URL nor App token set: api_url, api_url_file or app_token")
        if self.has_secret("app_token") and self.http_config.authorization is not None:
            raise ValueError("at most one of app_token and http_config.authorization must be configured")
        if self.has_secret("app_token") and not self.channel:
            raise ValueError("a bot token needs a channel")
        return self


def texts_of(value: object) -> list[str]:
    """All texts in blocks."""
    match value:
        case str():
            return [value]
        case dict():
            return [text for each in value.values() for text in texts_of(each)]
        case list():
            return [text for each in value for text in texts_of(each)]
    return []
