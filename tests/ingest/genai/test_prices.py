"""Prices: the operator's, then the list's; of the day, by tiers; and models that nobody knows."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.ingest.genai.normalised import SEED, rows, span

from swarmscope.ingest.genai.normaliser import SpanNormaliser
from swarmscope.ingest.genai.price_files import PriceFileError, load_price_file, parse_prices
from swarmscope.ingest.genai.prices import Prices, UnknownModel
from swarmscope.model.agents import CostSource, Vocabulary

CHAT = {"gen_ai.operation.name": "chat"}


def moment_ns(*date: int) -> int:
    return int(datetime(*date, tzinfo=UTC).timestamp()) * 1_000_000_000


def call(provider: str, model: str, given: int = 1_000_000, made: int = 0, **more: int) -> dict:
    return CHAT | {
        "gen_ai.provider.name": provider, "gen_ai.request.model": model, "gen_ai.usage.input_tokens": given,
        "gen_ai.usage.output_tokens": made,
        **{f"gen_ai.usage.{name.replace('__', '.')}": count for name, count in more.items()},
    }  # fmt: skip


def cost(prices: Prices, attributes: dict, at_ns: int = moment_ns(2026, 3, 1)) -> float | None:
    normaliser = SpanNormaliser(Vocabulary(), SEED, prices)
    return rows([span(attributes, start_ns=at_ns - 1, end_ns=at_ns)], normaliser)[0].get("cost_usd")


# Figures from the providers' own pages, USD for a million tokens.
@pytest.mark.parametrize(
    ("provider", "model", "usd"),
    [
        ("openai", "gpt-4o", 2.5),
        ("openai", "gpt-4o-2024-08-06", 2.5),
        ("azure.ai.openai", "gpt-4o-mini", 0.15),
        ("anthropic", "claude-sonnet-4-20250514", 3.0),
        ("aws.bedrock", "anthropic.claude-3-5-sonnet-20241022-v2:0", 3.0),
        ("gcp.gemini", "gemini-2.0-flash", 0.1),
        ("", "gpt-4o", 2.5),
        ("crewai", "openai/gpt-4o", 2.5),
        ("litellm", "gpt-4o", 2.5),
    ],
)
def test_prices_of_the_list(provider, model, usd):
    # Some have a dearer tier for long inputs; ten thousand tokens are below all of them.
    assert cost(Prices(), call(provider, model, 10_000)) == pytest.approx(usd / 100)


@pytest.mark.parametrize(("provider", "model"), [("openai", "nonesuch"), ("ollama", "gpt-4o"), ("my-own", "gpt-4o"),
                                                 ("", "nonesuch")])  # fmt: skip
def test_what_nobody_knows_is_listed_and_not_guessed(provider, model):
    prices = Prices()
    normaliser = SpanNormaliser(Vocabulary(), SEED, prices)
    told = rows([span(call(provider, model, 30, 12), number=1), span(call(provider, model, 8), number=2)], normaliser)
    assert [one["cost_source"] for one in told] == [CostSource.UNKNOWN_MODEL] * 2
    assert "cost_usd" not in told[0]
    end_ns = 1_775_000_002_000_000_000
    assert prices.unknown_models() == [UnknownModel(provider, model, 2, 50, end_ns, end_ns)]


def test_totals_above_unknown_models_are_not_listed_again():
    prices = Prices()
    agent = call("openai", "nonesuch") | {"gen_ai.operation.name": "invoke_agent"}
    assert rows([span(agent)], SpanNormaliser(Vocabulary(), SEED, prices))[0]["cost_source"] == CostSource.UNKNOWN_MODEL
    assert prices.unknown_models() == []


def test_names_without_end_are_listed_together():
    prices = Prices()
    for n in range(1100):
        prices.miss("p", f"m{n}", 1, 1000 - n, n)
    unknown = prices.unknown_models()
    assert len(unknown) == 1001
    assert (unknown[0].model, unknown[-1].model) == ("m0", "(further models)")


OWN = """
prices:
  - model: house-*
    input: 1
    output: 4
    cache_read: 0.1
    cache_write: 1.5
    reasoning: 8
  - model: house-large
    provider: vertexai
    from: 2026-03-01
    until: 2026-04-01T12:00:00Z
    input: 10
    request: 0.5
    tiers:
      - above: 1000
        input: 20
"""


def test_own_prices():
    prices = Prices(parse_prices(OWN, "own.yaml"))
    million = 1_000_000
    # 700,000 plain, 200,000 read, 100,000 written; 400,000 out, of which 100,000 reasoned.
    told = call("x", "House-Small", million, 400_000, cache_read__input_tokens=200_000,
                cache_write__input_tokens=100_000, reasoning__output_tokens=100_000)  # fmt: skip
    assert cost(prices, told) == pytest.approx(0.7 + 0.02 + 0.15 + 1.2 + 0.8)
    assert cost(prices, call("x", "house-large")) == pytest.approx(1)


@pytest.mark.parametrize(
    ("date", "usd"),
    [
        ((2026, 2, 28, 23, 59, 59), 0.001),
        ((2026, 3, 1), 0.01 + 0.5),
        ((2026, 4, 1, 11, 59), 0.01 + 0.5),
        ((2026, 4, 1, 12), 0.001),
    ],
)
def test_prices_hold_from_one_date_to_another(date, usd):
    prices = Prices(parse_prices(OWN, "own.yaml"))
    assert cost(prices, call("gcp.vertex_ai", "house-large", 1000), moment_ns(*date)) == pytest.approx(usd)


def test_a_tier_holds_for_all_tokens():
    prices = Prices(parse_prices(OWN, "own.yaml"))
    at_ns = moment_ns(2026, 3, 15)
    assert cost(prices, call("gcp.vertex_ai", "house-large", 1000), at_ns) == pytest.approx(0.5 + 0.01)
    assert cost(prices, call("gcp.vertex_ai", "house-large", 1001), at_ns) == pytest.approx(0.5 + 0.02002)


def test_own_prices_go_before_the_list():
    prices = Prices(parse_prices("prices: [{model: gpt-4o, input: 7}]", "own.yaml"))
    assert cost(prices, call("openai", "gpt-4o")) == pytest.approx(7)
    assert cost(prices, call("openai", "gpt-4o-mini")) == pytest.approx(0.15)


def test_an_empty_file_has_no_prices(tmp_path):
    path = tmp_path / "prices.yaml"
    path.write_text("# none yet\n")
    assert load_price_file(path) == []
    with pytest.raises(OSError, match="nowhere"):
        load_price_file(tmp_path / "nowhere.yaml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prices: [", "own.yaml: not YAML"),
        ("- 1", "own.yaml:1: expected `prices:`"),
        ("prices: 5", "own.yaml:1: expected `prices:`"),
        ("prices: []\nother: 1", "own.yaml:2: other: unknown field"),
        ("prices:\n  - model: a\n    input: -1", "own.yaml:3: prices[0].input: expected US dollars, 0 or more, got -1"),
        ("prices:\n  - model: a\n    input: much", "own.yaml:3: prices[0].input: expected US dollars"),
        ("prices:\n  - model: a\n    inptu: 1", "own.yaml:3: prices[0].inptu: unknown field"),
        ("prices:\n  - input: 1", "own.yaml:2: prices[0]: a price needs the name of its `model`"),
        ("prices:\n  - model: 4\n    input: 1", "own.yaml:2: prices[0].model: a price needs"),
        ("prices:\n  - model: a", "own.yaml:2: prices[0]: at least one of"),
        ("prices:\n  - a", "own.yaml:2: prices[0]: expected fields"),
        ("prices:\n  - model: a\n    input: 1\n    from: soon", "own.yaml:4: prices[0].from: expected a date"),
        ("prices:\n  - model: a\n    input: 1\n    from: 2026-02-01\n    until: 2026-01-01",
         "own.yaml:5: prices[0].until: must"),
        ("prices:\n  - model: a\n    input: 1\n    tiers:\n      - input: 2",
         "own.yaml:5: prices[0].tiers[0]: `above` must"),
        ("prices:\n  - {model: a, input: 1, tiers: [{above: 5}, {above: 5}]}", "prices[0].tiers[1].above: tiers must"),
        ("prices:\n  - {model: a, input: .inf}", "expected US dollars"),
        ("prices:\n  - {model: a, input: true}", "expected US dollars"),
        ("prices:\n  - {model: a, input: 1, provider: 4}", "prices[0].provider: expected a name"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_file_is_told_with_its_place(text, message):
    with pytest.raises(PriceFileError) as caught:
        parse_prices(text, "own.yaml")
    assert message in str(caught.value)


def test_the_example_of_the_page_can_be_read():
    page = (Path(__file__).parents[3] / "docs" / "agents-vocabulary.md").read_text(encoding="utf-8")
    house, listed = parse_prices(page.partition("```yaml\n")[2].partition("```")[0], "page.yaml")
    assert (house.model, house.request, len(house.tiers)) == ("house-*", 0.002, 1)
    assert [(tier.above, tier.input, tier.output) for tier in listed.tiers] == [(-1, 2.0, 8.0), (200_000, 4.0, 8.0)]
