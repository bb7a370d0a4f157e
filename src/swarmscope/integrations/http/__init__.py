"""Requests to receivers: their settings as in Alertmanager's `http_config`, bounds, and failures in one form."""

from swarmscope.integrations.http.answers import Answer, check_answer
from swarmscope.integrations.http.http_settings import HttpSettings, TlsSettings
from swarmscope.integrations.http.json_bodies import json_body
from swarmscope.integrations.http.sending import HttpSender, OutgoingRequest

__all__ = ["Answer", "HttpSender", "HttpSettings", "OutgoingRequest", "TlsSettings", "check_answer", "json_body"]
