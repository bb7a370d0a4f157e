"""What models cost: overrides of the operator first, then the table of the package `genai-prices`.

Nothing is fetched: the table is the one that came with the package. Prices are those of the day of a call. A model that
is in neither has no price; it is counted, and never guessed.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from swarmscope.ingest.genai.price_files import PriceOverride

if TYPE_CHECKING:
    from genai_prices.data_snapshot import DataSnapshot
    from genai_prices.types import ModelPrice, TieredPrices

_NS_PER_S = 1_000_000_000
_TOKENS_PER_PRICE = 1_000_000
_REQUESTS_PER_PRICE = 1_000
# Unknown models are listed by name, and whoever makes up names shall not fill the memory.
_MAX_UNKNOWN = 1_000
_OTHERS = "(further models)"

# OpenTelemetry's names of providers, and the package's.
_PROVIDER_IDS = {
    "gcp.vertex_ai": "google",
    "gcp.gemini": "google",
    "gcp.gen_ai": "google",
    "azure.ai.openai": "azure",
    "azure.ai.inference": "azure",
    "aws.bedrock": "aws",
    "x_ai": "x-ai",
    "mistral_ai": "mistral",
    "moonshot_ai": "moonshotai",
}
# Frameworks and gateways stand where a provider should; whose model it is then the model's name says.
_NO_PROVIDERS = frozenset(
    {
        "", "autogen", "crewai", "langchain", "langgraph", "litellm", "llama_index", "pydantic_ai", "swarmscope",
        "openai_agents", "semantic_kernel", "haystack", "ag2", "strands", "strands-agents", "_other",
    }
)  # fmt: skip


class Rates(NamedTuple):
    """USD for one token of each kind, from so many input tokens on. Cached ones are not in `input`, nor reasoning in
    `output`."""

    above: int  # input tokens; -1 for the first
    input: float
    output: float
    cache_read: float
    cache_write: float
    reasoning: float


@dataclass(frozen=True, slots=True)
class Price:
    """What a call costs. The last tier whose `above` is less than the input tokens holds, for all tokens."""

    tiers: tuple[Rates, ...]
    request: float = 0.0  # USD for one call


@dataclass(slots=True)
class UnknownModel:
    """A model for which no price is known."""

    provider: str
    model: str
    calls: int = 0
    tokens: int = 0
    first_seen_ns: int = 0
    last_seen_ns: int = 0


class Prices:
    """Thread-safe. `overrides` are asked in order, the last one that fits holds."""

    def __init__(self, overrides: Sequence[PriceOverride] = ()) -> None:
        self._overrides = tuple(reversed(overrides))
        self._unknown: dict[tuple[str, str], UnknownModel] = {}
        self._lock = threading.Lock()
        self._snapshot: DataSnapshot | None = None

    def price(self, provider: str, model: str, at_ns: int) -> Price | None:
        """What a call of the model cost at that time; None where nobody knows.

        `provider` is one of OpenTelemetry's, or empty.
        """
        if not model:
            return None
        for override in self._overrides:
            if override.fits(provider, model, at_ns):
                return _from_override(override)
        return self._listed(provider, model, datetime.fromtimestamp(at_ns // _NS_PER_S, UTC))

    def _listed(self, provider: str, model: str, moment: datetime) -> Price | None:
        for provider_id, name in _references(provider, model):
            try:
                _, found = self._table().find_provider_model(name, None, provider_id, None)
            except LookupError:
                continue
            return _from_listed(found.get_prices(moment))
        return None

    def _table(self) -> DataSnapshot:
        if self._snapshot is None:
            # Half a second, and memory: only where there is something to be priced.
            from genai_prices import data
            from genai_prices.data_snapshot import DataSnapshot

            self._snapshot = DataSnapshot(providers=data.providers, from_auto_update=False)
        return self._snapshot

    def miss(self, provider: str, model: str, calls: int, tokens: int, at_ns: int) -> None:
        """Remember calls of a model without a price."""
        with self._lock:
            key = (provider, model)
            if key not in self._unknown and len(self._unknown) >= _MAX_UNKNOWN:
                key = ("", _OTHERS)
            unknown = self._unknown.setdefault(key, UnknownModel(*key, first_seen_ns=at_ns))
            unknown.calls += calls
            unknown.tokens += tokens
            unknown.first_seen_ns = min(unknown.first_seen_ns, at_ns)
            unknown.last_seen_ns = max(unknown.last_seen_ns, at_ns)

    def unknown_models(self) -> list[UnknownModel]:
        """Models without a price since the start, those with most tokens first."""
        with self._lock:
            unknown = [
                UnknownModel(one.provider, one.model, one.calls, one.tokens, one.first_seen_ns, one.last_seen_ns)
                for one in self._unknown.values()
            ]
        return sorted(unknown, key=lambda one: (-one.tokens, one.provider, one.model))


def _references(provider: str, model: str) -> list[tuple[str | None, str]]:
    """The package's provider and model by which to look, in order."""
    known = None if provider in _NO_PROVIDERS else _PROVIDER_IDS.get(provider, provider)
    references = [(known, model)]
    before, _, name = model.partition("/")
    if known is None and name:
        # As gateways write it: openai/gpt-4o.
        references.insert(0, (_PROVIDER_IDS.get(before, before), name))
    return references


def _from_override(override: PriceOverride) -> Price:
    return Price(
        tuple(
            Rates(
                tier.above,
                *(
                    amount / _TOKENS_PER_PRICE
                    for amount in _filled(tier.input, tier.output, tier.cache_read, tier.cache_write, tier.reasoning)
                ),
            )
            for tier in override.tiers
        ),
        override.request,
    )


def _from_listed(listed: ModelPrice) -> Price | None:
    """None for what is not paid by tokens or calls."""
    told = [listed.input_mtok, listed.output_mtok, listed.cache_read_mtok, listed.cache_write_mtok,
            listed.output_reasoning_mtok]  # fmt: skip
    per_request = listed.requests_kcount
    if all(price is None for price in (*told[:2], per_request)):
        return None
    bounds = sorted({-1, *(tier.start for price in told for tier in getattr(price, "tiers", ()))})
    tiers = []
    for above in bounds:
        amounts = [_amount(price, above) for price in told]
        tiers.append(Rates(above, *(amount / _TOKENS_PER_PRICE for amount in _filled(*amounts))))
    return Price(tuple(tiers), (_amount(per_request, -1) or 0.0) / _REQUESTS_PER_PRICE)


def _filled(
    given: float | None,
    made: float | None,
    cache_read: float | None,
    cache_write: float | None,
    reasoning: float | None,
) -> tuple[float, float, float, float, float]:
    """What has no price of its own costs what it is a part of."""
    read = given if cache_read is None else cache_read
    written = given if cache_write is None else cache_write
    thought = made if reasoning is None else reasoning
    return given or 0.0, made or 0.0, read or 0.0, written or 0.0, thought or 0.0


def _amount(price: Decimal | TieredPrices | None, above: int) -> float | None:
    """The price behind so many input tokens."""
    if price is None or isinstance(price, Decimal):
        return None if price is None else float(price)
    amount = price.base
    for tier in price.tiers:
        if tier.start <= above:
            amount = tier.price
    return float(amount)
