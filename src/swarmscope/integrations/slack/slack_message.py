"""A message as Slack takes it. Source: https://docs.slack.dev/legacy/legacy-messaging/legacy-secondary-message-attachments

With `blocks` of the settings the message is made of those; else it is one attachment, as Alertmanager's.
"""

from __future__ import annotations

from typing import Any

from swarmscope.integrations.filling import Filling, shortened
from swarmscope.integrations.slack.slack_settings import ActionSettings, SlackSettings

MAX_TITLE = 1024  # characters; Slack cuts longer ones in the middle of a link
MAX_TEXT = 40_000
MAX_BLOCKS = 50


def slack_message(settings: SlackSettings, filling: Filling) -> dict[str, Any]:
    """The message, without what says into which thread it goes."""
    fill = filling.text
    message: dict[str, Any] = {
        "channel": fill(settings.channel),
        "username": fill(settings.username),
        "icon_emoji": fill(settings.icon_emoji),
        "icon_url": fill(settings.icon_url),
        "link_names": settings.link_names,
        "text": shortened(fill(settings.message_text), MAX_TEXT),
    }
    if settings.blocks:
        # What notifications on telephones show, where blocks cannot be.
        message["text"] = message["text"] or shortened(fill(settings.fallback), MAX_TEXT)
        message["blocks"] = [_filled_in(block, filling) for block in settings.blocks[:MAX_BLOCKS]]
    else:
        message["attachments"] = [_attachment(settings, filling)]
    return _kept(message)


def _attachment(settings: SlackSettings, filling: Filling) -> dict[str, Any]:
    fill = filling.text
    attachment: dict[str, Any] = {
        "title": shortened(fill(settings.title), MAX_TITLE),
        "title_link": fill(settings.title_link),
        "pretext": fill(settings.pretext),
        "fallback": fill(settings.fallback),
        "callback_id": fill(settings.callback_id),
        "fields": [
            {
                "title": fill(field.title),
                "value": fill(field.value),
                "short": settings.short_fields if field.short is None else field.short,
            }
            for field in settings.fields
        ],
        "actions": [_action(action, filling) for action in settings.actions],
        "image_url": fill(settings.image_url),
        "thumb_url": fill(settings.thumb_url),
        "footer": fill(settings.footer),
        "color": fill(settings.color),
    }
    return {"text": shortened(fill(settings.text), MAX_TEXT), "mrkdwn_in": settings.mrkdwn_in, **_kept(attachment)}


def _action(action: ActionSettings, filling: Filling) -> dict[str, Any]:
    fill = filling.text
    told: dict[str, Any] = {
        "type": fill(action.type),
        "text": fill(action.text),
        "url": fill(action.url),
        "style": fill(action.style),
    }
    if action.url:  # a link, which sends Slack nothing back and asks nothing before
        return _kept(told)
    told |= {"name": fill(action.name), "value": fill(action.value)}
    if action.confirm is not None:
        told["confirm"] = _kept(
            {
                "text": fill(action.confirm.text),
                "title": fill(action.confirm.title),
                "ok_text": fill(action.confirm.ok_text),
                "dismiss_text": fill(action.confirm.dismiss_text),
            }
        )
    return _kept(told)


def _filled_in(value: Any, filling: Filling) -> Any:
    match value:
        case str():
            return filling.text(value)
        case dict():
            return {name: _filled_in(each, filling) for name, each in value.items()}
        case list():
            return [_filled_in(each, filling) for each in value]
    return value


def _kept(message: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in message.items() if value not in ("", [], False, None)}
