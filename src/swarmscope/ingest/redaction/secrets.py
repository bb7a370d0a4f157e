"""Detectors of secrets: keys and tokens by the form that their issuers document, and what stands behind telling names.

The order is that of precedence: where finds overlap, the detector that stands first gives its name.
"""

from __future__ import annotations

import base64
import binascii
import re

from swarmscope.ingest.redaction.detectors import Check, Detector, Group

_DIGIT, _LETTER = re.compile(rb"[0-9]"), re.compile(rb"[A-Za-z]")
_PLACEHOLDER = re.compile(rb"(?i)(?:null|none|nil|true|false|undefined|\*+|x{3,}|<[^>]*>?)\Z")

# Between a name and its value: a closing quote (of a JSON key, perhaps inside another JSON string), then : or =.
_ASSIGNED = rb"""\\{0,3}["']?\s{0,8}(?:=>|:=|[:=])\s{0,8}"""
_TRIGGER_END = rb"""\\{0,3}["']?\s{0,8}[:=]"""
# A value: in a JSON string inside a JSON string, in double quotes, in single quotes, or bare.
_VALUE = (
    rb"""(?:\\"((?:[^"\\]|\\\\\\"|\\\\\\\\|\\\\[^"\\]|\\[^"\\])+)"""
    rb"""|"((?:[^"\\]|\\[\s\S])+)"""
    rb"""|'((?:[^'"\\]|\\[\s\S])+)"""
    rb"""|([^\s"'\\,;&|<>(){}\[\]][^\s"'\\,;&<>)}\]]*))"""
)
_PASSWORD_NAME = rb"(?i)(?:passw(?:or)?d|passphrase|passcode)"
_PWD_NAME = rb"(?i)pwd"
_SECRET_NAME = (
    rb"(?i)(?:secret|credentials?|(?:api|access|account|auth|encryption|signing|private|master|storage|secret)[_-]?key)"
)
_TOKEN_NAME = rb"(?i)(?:token|jwt|session[_-]?key)"
_SCHEME = rb"(?:bearer|basic|token|apikey|api-key|key|digest|negotiate|splunk|aws4-hmac-sha256)"


def is_mixed(text: bytes, start: int, end: int) -> bool:
    """Whether a find has digits and letters: words joined by dashes have not."""
    found = text[start:end]
    return _DIGIT.search(found) is not None and _LETTER.search(found) is not None


def is_telling(text: bytes, start: int, end: int) -> bool:
    """Whether a value is more than a placeholder such as `null` or `***`."""
    return _PLACEHOLDER.match(text[start:end]) is None


def at_least(n_bytes: int, check: Check) -> Check:
    """`check`, for finds of `n_bytes` or more."""

    def is_long_enough(text: bytes, start: int, end: int) -> bool:
        return end - start >= n_bytes and check(text, start, end)

    return is_long_enough


def is_no_scheme(text: bytes, start: int, end: int) -> bool:
    """Whether a find is more than a placeholder or an authorization scheme's name."""
    return is_telling(text, start, end) and re.fullmatch(b"(?i)" + _SCHEME, text[start:end]) is None


def is_not_a_folder(text: bytes, start: int, end: int) -> bool:
    """A shell's `PWD=/home/…` is where it works, not a password."""
    return text[start : start + 1] not in (b"/", b"~") and is_telling(text, start, end)


def is_basic_credential(text: bytes, start: int, end: int) -> bool:
    """Whether a find is base64 of `user:password` (RFC 7617)."""
    found = text[start:end]
    try:
        plain = base64.b64decode(found + b"=" * (-len(found) % 4), validate=True)
    except (binascii.Error, ValueError):
        return False
    return b":" in plain and plain.isascii() and plain.decode().isprintable()


def _secret(
    name: str, finds: str, pattern: bytes, check: Check | None = None, trigger: bytes | None = None
) -> Detector:
    return Detector(name, Group.SECRETS, finds, pattern, check, trigger)


_CLOUDS = (
    _secret("aws_access_key_id", "AWS access key ids", rb"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b"),
    _secret(
        "aws_secret_access_key",
        "AWS secret access keys behind their name",
        rb"(?i)secret[_-]?(?:access[_-]?)?key" + _ASSIGNED + rb"""\\{0,3}["']?([a-z0-9/+]{40})(?:[^a-z0-9/+=]|$)""",
        is_mixed,
    ),
    _secret("google_api_key", "Google API keys", rb"\bAIza[A-Za-z0-9_-]{35}"),
    _secret(
        "google_oauth",
        "Google OAuth access tokens, refresh tokens and client secrets",
        rb"\b(?:ya29\.[A-Za-z0-9_-]{20,}|1//0[A-Za-z0-9_-]{20,}|GOCSPX-[A-Za-z0-9_-]{28})",
    ),
    _secret("azure_storage_key", "Azure storage account keys", rb"(?i)AccountKey\s?=\s?([A-Za-z0-9+/]{86}==)"),
    _secret(
        "azure_sas", "signatures of Azure shared access links", rb"(?i)[?&;]sig=([A-Za-z0-9%+/]{43,}={0,2})", is_mixed
    ),
    _secret("azure_client_secret", "Entra ID client secrets", rb"\b[A-Za-z0-9_~.]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34}"),
    _secret("digitalocean_token", "DigitalOcean tokens", rb"\bdo[opr]_v1_[0-9a-f]{64}\b"),
    _secret("databricks_token", "Databricks tokens", rb"\bdapi[0-9a-f]{32}(?:-[0-9])?\b"),
    _secret(
        "hashicorp_token",
        "Vault and Terraform Cloud tokens",
        rb"\bhv[sbr]\.[A-Za-z0-9_-]{24,}|\b[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_-]{60,}",
    ),
)
_MODELS = (
    _secret("anthropic_api_key", "Anthropic keys", rb"\bsk-ant-[A-Za-z0-9_-]{20,}"),
    _secret(
        "openai_api_key",
        "OpenAI keys, and those of providers that copy their form (OpenRouter, DeepSeek, LiteLLM)",
        rb"\bsk-[A-Za-z0-9_-]{20,}",
        is_mixed,
    ),
    _secret("huggingface_token", "Hugging Face tokens", rb"\b(?:hf_[A-Za-z0-9]{30,}|api_org_[A-Za-z0-9]{34})\b"),
    _secret(
        "cohere_api_key",
        "Cohere keys behind their name",
        rb"(?i)\bco(?:here)?[_-]?(?:api[_-]?)?key" + _ASSIGNED + rb"""\\{0,3}["']?([a-z0-9]{40})\b""",
        is_mixed,
    ),
    _secret(
        "model_provider_key",
        "keys of Groq, Replicate, Perplexity, xAI, Fireworks, NVIDIA, Pinecone, LangSmith, Langfuse and Tavily",
        rb"\b(?:gsk_[A-Za-z0-9]{40,}|r8_[A-Za-z0-9]{37,}|pplx-[A-Za-z0-9]{40,}|xai-[A-Za-z0-9]{60,}|fw_[A-Za-z0-9]{22,}"
        rb"|nvapi-[A-Za-z0-9_-]{60,}|pcsk_[A-Za-z0-9_]{50,}|lsv2_(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10}"
        rb"|[sp]k-lf-[0-9a-f]{8}-[0-9a-f-]{27}|tvly-(?:dev-|prod-)?[A-Za-z0-9]{32,})",
        is_mixed,
    ),
)
_SERVICES = (
    _secret(
        "github_token", "GitHub tokens", rb"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59})"
    ),
    _secret(
        "gitlab_token",
        "GitLab tokens",
        rb"\bgl(?:pat|ptt|dt|rt|cbt|agent|oas|soat|ft|imt|ffct)-[A-Za-z0-9_-]{20,}(?:\.[a-z0-9.]{2,})?",
    ),
    _secret(
        "slack_token",
        "Slack tokens",
        rb"\b(?:xox[abeoprs]-[A-Za-z0-9-]{10,}|xoxe\.xox[bp]-[A-Za-z0-9-]{10,}|xapp-[0-9]-[A-Za-z0-9]+-[0-9]+-[A-Za-z0-9]+)",
    ),
    _secret(
        "slack_webhook",
        "secret parts of Slack webhook URLs",
        rb"hooks\.slack\.com/(?:services|workflows|triggers)/([A-Za-z0-9/_+-]{20,})",
    ),
    _secret(
        "stripe_key",
        "Stripe keys and webhook secrets",
        rb"\b(?:[rs]k_(?:live|test)_[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9+/]{24,}=*)",
    ),
    _secret("twilio_key", "Twilio API keys", rb"\bSK[0-9a-f]{32}\b"),
    _secret("sendgrid_key", "SendGrid keys", rb"\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}"),
    _secret("npm_token", "npm tokens", rb"\bnpm_[A-Za-z0-9]{36}\b"),
    _secret("pypi_token", "PyPI tokens", rb"\bpypi-AgE[A-Za-z0-9_-]{50,}"),
    _secret("telegram_token", "Telegram bot tokens", rb"(?:\b|bot)([0-9]{8,10}:AA[A-Za-z0-9_-]{33})"),
    _secret(
        "discord_token",
        "Discord bot tokens",
        rb"\b[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,38}",
        is_mixed,
    ),
    _secret(
        "discord_webhook", "secret parts of Discord webhook URLs", rb"/api/webhooks/[0-9]{17,20}/([A-Za-z0-9_-]{60,})"
    ),
    _secret(
        "service_token",
        "tokens of Shopify, Square, New Relic, Grafana, Sentry, Linear, Notion, Postman, Docker, Supabase, age",
        rb"\b(?:shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}|sq0(?:atp|csp)-[A-Za-z0-9_-]{22,43}|NRAK-[A-Z0-9]{27}"
        rb"|glsa_[A-Za-z0-9]{32}_[0-9a-fA-F]{8}|glc_[A-Za-z0-9+/]{32,}=*|sntry[su]_[A-Za-z0-9_+/=.-]{40,}"
        rb"|lin_api_[A-Za-z0-9]{40}|(?:secret|ntn)_[A-Za-z0-9]{43,}|PMAK-[0-9a-f]{24}-[0-9a-f]{34}"
        rb"|dckr_pat_[A-Za-z0-9_-]{27}|sbp_[0-9a-f]{40}|AGE-SECRET-KEY-1[0-9A-Z]{58})",
    ),
)
_PEM_HEAD = rb"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
_GENERIC = (
    _secret(
        "private_key",
        "private keys in PEM or PGP armour, over many lines or with `\\n` written out; a cut one to its end",
        _PEM_HEAD + rb"(?:[\s\S]*?-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|[A-Za-z0-9+/=\s\\]*)",
        trigger=rb"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY",
    ),
    _secret(
        "jwt",
        "JSON web tokens, signed or encrypted",
        rb"\beyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){2,4}",
        is_mixed,
        rb"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*\.",
    ),
    _secret(
        "url_password",
        "passwords in URLs (`https://user:password@host`)",
        rb"""[A-Za-z]://[^\s/?#"'\\@:<>]*:([^\s/?#"'\\@<>]+)@""",
        is_telling,
    ),
    Detector(
        "authorization",
        Group.SECRETS,
        "values of `Authorization` headers",
        rb"""(?i)authorization"""
        + _ASSIGNED
        + rb"""\[?\\{0,3}["']?(?:"""
        + _SCHEME
        + rb"""\s+)?([^\s"'\\,;{}\]]{6,})""",
        is_no_scheme,
        rb"(?i)authorization" + _TRIGGER_END,
        is_keyed=True,
    ),
    _secret(
        "bearer_token", "what follows the word Bearer", rb"(?i)\bbearer\s{1,8}([A-Za-z0-9._~+/-]{16,}=*)", is_mixed
    ),
    _secret(
        "basic_credentials",
        "base64 of `user:password` behind the word Basic",
        rb"(?i)\bbasic\s{1,8}([A-Za-z0-9+/]{8,}={0,2})",
        is_basic_credential,
    ),
    _secret(
        "session_cookie",
        "session ids of the usual web frameworks in cookies",
        rb"(?i)\b(?:jsessionid|phpsessid|sessionid|session|connect\.sid|laravel_session|asp\.net_sessionid)=([A-Za-z0-9%._:+/-]{16,}=*)",
        is_mixed,
    ),
    Detector(
        "password",
        Group.SECRETS,
        "values behind a name that ends in password, passwd, passphrase or passcode",
        _PASSWORD_NAME + _ASSIGNED + _VALUE,
        is_telling,
        _PASSWORD_NAME + _TRIGGER_END,
        is_keyed=True,
    ),
    Detector(
        "pwd",
        Group.SECRETS,
        "values behind a name that ends in pwd, but for paths",
        _PWD_NAME + _ASSIGNED + _VALUE,
        is_not_a_folder,
        _PWD_NAME + _TRIGGER_END,
        is_keyed=True,
    ),
    Detector(
        "secret",
        Group.SECRETS,
        "values of 6 bytes or more behind a name that ends in secret, credential, api key, access key, private key, …",
        _SECRET_NAME + _ASSIGNED + _VALUE,
        at_least(6, is_telling),
        _SECRET_NAME + _TRIGGER_END,
        is_keyed=True,
    ),
    Detector(
        "token",
        Group.SECRETS,
        "values of 16 bytes or more with digits and letters behind a name that ends in token, jwt or session key",
        _TOKEN_NAME + _ASSIGNED + _VALUE,
        at_least(16, is_mixed),
        _TOKEN_NAME + _TRIGGER_END,
        is_keyed=True,
    ),
)
SECRETS: tuple[Detector, ...] = (*_CLOUDS, *_MODELS, *_SERVICES, *_GENERIC)
