"""Read a scrape configuration from a file or a mapping, and say exactly what is wrong with it."""

from __future__ import annotations

import glob
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from swarmscope.receivers.scrape.config_model import (
    TEXT_PROTOCOLS,
    GlobalConfig,
    IncludedFile,
    ScrapeConfig,
    ScrapeConfigError,
    ScrapeFile,
    ScrapeJob,
    ScrapeProtocol,
    ScrapeSettings,
)

DEFAULT_INTERVAL_MS = 60_000
DEFAULT_TIMEOUT_MS = 10_000
_FOREIGN_SECTIONS = frozenset(
    {"rule_files", "alerting", "remote_write", "remote_read", "storage", "tracing", "otlp", "runtime"}
)
_SECRET_KEYS = frozenset({"password", "credentials", "bearer_token", "key", "secrets"})
_Model = TypeVar("_Model", bound=BaseModel)


class SourceTextLoader(yaml.SafeLoader):
    """YAML with scalars as their source text (as Go reads them) and without repeated keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A mapping; raises ConstructorError where a key stands twice."""
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen and key.value != "<<":
                raise yaml.constructor.ConstructorError(None, None, f"key {key.value!r} stands twice", key.start_mark)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)


# Their keys are the user's own, so a key that ends in "_file" means nothing in them.
_FREE_MAPPINGS = frozenset({"labels", "external_labels", "params"})
_KEPT_TAGS = ("tag:yaml.org,2002:null", "tag:yaml.org,2002:merge")
SourceTextLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag in _KEPT_TAGS]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read_yaml(text: str, origin: str) -> Any:
    """The document in `text`; raises ScrapeConfigError naming `origin` and the line."""
    try:
        return yaml.load(text, SourceTextLoader)  # noqa: S506 - a subclass of SafeLoader
    except yaml.YAMLError as error:
        raise ScrapeConfigError(f"{origin}: not YAML: {error}") from None


def validate(model: type[_Model], value: Any, origin: str) -> _Model:
    """`value` as `model`; raises ScrapeConfigError with a line per fault: path, value, what is allowed."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        faults = "\n".join(_describe(fault, model) for fault in error.errors(include_url=False))
        raise ScrapeConfigError(f"{origin}:\n{faults}" if "\n" in faults else f"{origin}: {faults}") from None


def _describe(fault: Any, model: type[BaseModel]) -> str:
    location = fault["loc"]
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".")
    kind, value = fault["type"], fault["input"]
    shown = "<secret>" if any(part in _SECRET_KEYS for part in location) else repr(value)
    if kind == "extra_forbidden":
        return f"{path}: unknown key (value {shown}); allowed: {', '.join(_allowed_keys(model, location[:-1]))}"
    if kind == "missing":
        return f"{path}: required and not given"
    message = str(fault["msg"]).removeprefix("Value error, ")
    if isinstance(value, dict | list):
        return f"{path}: {message}" if path else message
    if kind == "literal_error":
        return f"{path}: {shown} is not allowed; allowed: {fault['ctx']['expected']}"
    return f"{path}: {shown} {message}"


def _allowed_keys(model: type[BaseModel], location: tuple[str | int, ...]) -> list[str]:
    """The keys of the mapping at `location`, found by walking the models along the path."""
    current: type[BaseModel] | None = model
    for part in location:
        if isinstance(part, int) or current is None:
            continue
        fields = {field.alias or name: field for name, field in current.model_fields.items()}
        field = fields.get(part)
        # A key of a free mapping (a header's name): the model stays that of its values.
        current = _model_in(field.annotation) if field is not None else current
    if current is None:
        return []
    return sorted(field.alias or name for name, field in current.model_fields.items())


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        found = _model_in(argument)
        if found is not None:
            return found
    return None


def load_scrape_config(source: str | Path | Mapping[str, Any]) -> ScrapeSettings:
    """The settings in a YAML file or a mapping with `global`, `scrape_configs` and `scrape_config_files`.

    Relative paths stand for paths from the file's folder (from the working folder for a mapping). Raises
    ScrapeConfigError with every fault.
    """
    if isinstance(source, Mapping):
        content: Any = dict(source)
        origin, folder = "scrape configuration", Path.cwd()
    else:
        origin, folder = str(source), Path(source).resolve().parent
        content = read_yaml(_read_text(Path(source)), origin)
    content = {} if content is None else content
    if isinstance(content, dict) and (foreign := sorted(_FOREIGN_SECTIONS.intersection(content))):
        allowed = "global, scrape_configs, scrape_config_files"
        raise ScrapeConfigError(f"{origin}: {', '.join(foreign)}: not read by the scraper; allowed: {allowed}")
    file = validate(ScrapeFile, _with_absolute_paths(content, folder), origin)
    configs = list(file.scrape_configs)
    for pattern in file.scrape_config_files:
        for path in sorted(glob.glob(str(folder / pattern))):
            document = _with_absolute_paths(read_yaml(_read_text(Path(path)), path) or {}, Path(path).parent)
            included = validate(IncludedFile, document, path)
            configs.extend(included.scrape_configs)
    _check_unique(configs, origin)
    jobs = [decide_job(config, file.global_, origin) for config in configs]
    return ScrapeSettings(jobs=jobs, external_labels=file.global_.external_labels)


def _read_text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ScrapeConfigError(f"{path}: cannot be read: {error}") from None


def _check_unique(configs: list[ScrapeConfig], origin: str) -> None:
    seen: set[str] = set()
    for config in configs:
        if config.job_name in seen:
            raise ScrapeConfigError(f"{origin}: scrape_configs: job_name {config.job_name!r} stands twice")
        seen.add(config.job_name)


def _with_absolute_paths(value: Any, folder: Path) -> Any:
    """The raw document with its file names joined to `folder`, as Prometheus does."""
    if isinstance(value, list):
        return [_with_absolute_paths(item, folder) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: item if key in _FREE_MAPPINGS else _resolved(key, item, folder) for key, item in value.items()}


def _resolved(key: Any, value: Any, folder: Path) -> Any:
    if isinstance(key, str) and (key.endswith("_file") or key == "files"):
        if isinstance(value, str) and value:
            return str(folder / value)
        if isinstance(value, list):
            return [str(folder / item) if isinstance(item, str) and item else item for item in value]
    return _with_absolute_paths(value, folder)


def decide_job(config: ScrapeConfig, defaults: GlobalConfig, origin: str) -> ScrapeJob:
    """Fill in what the job leaves to `global`; raises ScrapeConfigError where the two contradict."""

    def pick(name: str, default: Any) -> Any:
        own = getattr(config, name)
        inherited = getattr(defaults, name)
        return own if own is not None else inherited if inherited is not None else default

    where = f"{origin}: scrape_configs: job {config.job_name!r}"
    interval_ms: int = pick("scrape_interval", DEFAULT_INTERVAL_MS)
    timeout_ms: int = config.scrape_timeout or 0
    if timeout_ms > interval_ms:
        raise ScrapeConfigError(f"{where}: scrape_timeout is greater than scrape_interval ({interval_ms} ms)")
    timeout_ms = timeout_ms or min(defaults.scrape_timeout or DEFAULT_TIMEOUT_MS, interval_ms)
    native = pick("scrape_native_histograms", None)
    protocols: list[ScrapeProtocol] = pick("scrape_protocols", None) or (
        ["PrometheusProto", *TEXT_PROTOCOLS] if native else list(TEXT_PROTOCOLS)
    )
    validation = pick("metric_name_validation_scheme", "utf8")
    escaping = pick("metric_name_escaping_scheme", "underscores" if validation == "legacy" else "allow-utf-8")
    if validation == "legacy" and escaping == "allow-utf-8":
        raise ScrapeConfigError(f"{where}: metric_name_escaping_scheme allow-utf-8 needs validation scheme utf8")
    classic = config.scrape_classic_histograms
    return ScrapeJob(
        config=config,
        interval_ms=interval_ms,
        timeout_ms=timeout_ms,
        protocols=protocols,
        **{name: pick(name, 0) for name in _LIMITS},
        native_histograms=native is not False,
        classic_histograms=pick("always_scrape_classic_histograms", False) if classic is None else classic,
        convert_classic=pick("convert_classic_histograms_to_nhcb", False),
        validation_scheme=validation,
        escaping_scheme=escaping,
        extra_metrics=pick("extra_scrape_metrics", False),
        failure_log_file=pick("scrape_failure_log_file", ""),
    )


_LIMITS = (
    "body_size_limit", "sample_limit", "label_limit", "label_name_length_limit", "label_value_length_limit",
    "target_limit", "keep_dropped_targets",
)  # fmt: skip
