"""Native histograms through the whole engine, values computed by hand; and no query ends in an accident."""

from __future__ import annotations

import re

import pytest

from swarmscope.lang.promql.functions import FUNCTIONS
from swarmscope.model.errors import SwarmscopeError
from swarmscope.query.histograms.rendering import histogram_text
from swarmscope.query.promql import PromqlEngine, QueryRequest, QueryResult
from tests.query.promql.generated_queries import Generator
from tests.query.promql.native_data import native_reader


@pytest.fixture(scope="module")
def engine() -> PromqlEngine:
    return PromqlEngine(native_reader())


def ask(engine: PromqlEngine, query: str, at_s: int = 600) -> QueryResult:
    return engine.query_instant(QueryRequest(query, at_s * 1000, at_s * 1000))


def number(engine: PromqlEngine, query: str, at_s: int = 600) -> float:
    result = ask(engine, query, at_s)
    assert result.values.shape == (1, 1)
    assert result.present[0, 0]
    assert result.histograms is None or result.histograms.cells[0, 0] < 0
    return float(result.values[0, 0])


def test_counts_and_sums(engine) -> None:
    assert number(engine, 'histogram_count(nat{i="1"})') == 40 * 5
    assert number(engine, 'histogram_sum(nat{i="0"})') == 400
    assert number(engine, 'histogram_avg(nat{i="0"})') == 400 / 160
    assert number(engine, "histogram_count(sum(nat))") == 40 * 4 + 40 * 5
    assert number(engine, "histogram_count(avg(nat))") == pytest.approx(180)
    assert number(engine, "count(nat)") == 2


def test_rates(engine) -> None:
    # (300, 600]: 315 … 600, 20 samples; growth 19 steps over 285 s, stretched to 300 s: 20 steps.
    assert number(engine, 'histogram_count(increase(nat{i="0"}[5m]))') == pytest.approx(20 * 4)
    assert number(engine, 'histogram_sum(rate(nat{i="0"}[5m]))') == pytest.approx(20 * 10 / 300)
    assert number(engine, "histogram_count(irate(cus[1m]))") == pytest.approx(4 / 15)


def test_arithmetic(engine) -> None:
    assert number(engine, 'histogram_count(nat{i="0"} * 2)') == 320
    assert number(engine, 'histogram_count(3 * nat{i="0"} / 2)') == 240
    assert number(engine, 'histogram_count(nat{i="0"} + ignoring (i) nat{i="1"})') == 360
    assert number(engine, 'histogram_count(-nat{i="0"})') == -160
    assert len(ask(engine, "nat == nat").values) == 2
    assert len(ask(engine, "nat != nat").values) == 0
    odd = ask(engine, "nat + 1")
    assert len(odd.values) == 0
    assert odd.infos == (
        'PromQL info: incompatible sample types encountered for binary operator "+": histogram + float (1:1)',
    )


def test_quantiles(engine) -> None:
    # Custom buckets 40 up to 1 and 120 in (1, 5]: rank 80 lies 40/120 into the second.
    assert number(engine, "histogram_quantile(0.5, cus)") == pytest.approx(1 + 4 * 40 / 120)
    assert number(engine, "histogram_fraction(1, 5, cus)") == pytest.approx(0.75)


def test_mixed_series(engine) -> None:
    assert number(engine, "mix", at_s=200) == 13
    assert ask(engine, "mix").histograms is not None
    assert number(engine, "count_over_time(mix[10m])") == 40
    assert number(engine, "max_over_time(mix[10m])") == 19
    assert "ignored histograms in a range" in ask(engine, "max_over_time(mix[10m])").infos[0]
    assert len(ask(engine, "rate(mix[10m])").values) == 0
    assert "mix of histograms and floats" in ask(engine, "rate(mix[10m])").warnings[0]
    mixed = ask(engine, 'sum({__name__=~"mix|reqs_total"})')
    assert len(mixed.values) == 0
    assert "encountered a mix of histograms and floats for aggregation" in mixed.warnings[0]


def test_floats_alone(engine) -> None:
    ignored = ask(engine, 'max({__name__=~"nat|reqs_total"})')
    assert ignored.values.tolist() == [[80.0]]
    assert ignored.infos == ("PromQL info: ignored histogram in max aggregation (1:5)",)


def test_subqueries_carry_histograms(engine) -> None:
    assert number(engine, 'histogram_count(last_over_time(nat{i="0"}[2m:30s]))') == 160
    result = ask(engine, 'nat{i="0"}[30s]')
    assert result.histograms is not None
    assert result.histograms.cells.shape == (1, 2)


def test_rendering_of_an_answer(engine) -> None:
    result = ask(engine, "cus", at_s=15)
    assert result.histograms is not None
    assert histogram_text(result.histograms.rows, int(result.histograms.cells[0, 0])) == (
        "{count:4, sum:5, [-Inf,1]:1, (1,5]:3}"
    )


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_every_function_takes_every_kind_of_sample(engine, name) -> None:
    function = FUNCTIONS[name]
    samples = {"scalar": "0.5", "string": '"job"'}
    for selector in ("nat", "mix", "cus", "reqs_total", "nothing", '{__name__=~"nat|mix|lat_bucket"}'):
        samples["vector"], samples["matrix"] = selector, f"{selector}[7m]"
        arguments = [samples[kind] for kind in function.arg_types]
        if name == "info":
            arguments[1] = '{version="1"}'
        query = f"{name}({', '.join(arguments)})"
        for ask_engine in (engine.query_instant, engine.query_range):
            try:
                ask_engine(QueryRequest(query, 300_000, 600_000, 50_000))
            except SwarmscopeError as refusal:
                if not re.search("same labelset|label", str(refusal)):
                    raise


def test_generated_queries_end_in_answers_or_refusals(engine) -> None:
    generator = Generator(7)
    kinds = {"temp": "nat", "gappy": "mix", 'room!="r1"': 'i!="1"', "1600000500": "500"}
    for k in range(600):
        query = generator.query()
        for name, other in kinds.items():
            query = query.replace(name, other)
        try:
            if k % 2:
                engine.query_instant(QueryRequest(query, 600_000, 600_000))
            else:
                engine.query_range(QueryRequest(query, 200_000, 600_000, 50_000))
        except SwarmscopeError:
            continue
