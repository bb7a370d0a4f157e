import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.portion import portion
from tests.store.catalogue.naive import NaiveCatalogue

from swarmscope.model.errors import QueryFailedError
from swarmscope.model.labels import LabelSets
from swarmscope.model.matchers import Matcher, MatchOperator
from swarmscope.model.series import ABSENT
from swarmscope.store.catalogue import Catalogue, warm_up

EQ, NE, RE, NRE = MatchOperator
EVER = (-(2**62), 2**62)
TENANT = "acme"


def intern(catalogue, sets, keys=None, tenant=TENANT, now_ms=0):
    numbers = range(len(sets)) if keys is None else keys
    return catalogue.intern(tenant, np.array(list(numbers), np.uint64), LabelSets.from_dicts(sets), now_ms)


def labels_of(catalogue, selection):
    frame = selection.labels
    return [
        {
            name: catalogue.symbols.text(code)
            for name, code in zip(frame.names, frame.codes[:, column].tolist(), strict=True)
            if code != ABSENT
        }
        for column in range(frame.n_series)
    ]


def select(catalogue, *matchers, tenant=TENANT, when=EVER):
    return catalogue.select_series(tenant, [Matcher(*m) for m in matchers], *when)


def chosen(catalogue, *matchers, **kwargs):
    return select(catalogue, *matchers, **kwargs).refs.tolist()


FLEET = [
    {"__name__": "up", "job": "agents", "pod": "a-1"},
    {"__name__": "up", "job": "agents", "pod": "a-2"},
    {"__name__": "up", "job": "tools"},
    {"__name__": "cost", "job": "agents", "pod": "a-1", "model": "x.y"},
    {"job": "nameless"},
]


@pytest.fixture
def fleet():
    catalogue = Catalogue()
    assert intern(catalogue, FLEET).refs.tolist() == [0, 1, 2, 3, 4]
    return catalogue


# -- identity ------------------------------------------------------------------------------------------------------


def test_same_labels_same_ref_whatever_key_or_order(fleet):
    again = intern(fleet, [dict(reversed(FLEET[3].items())), {**FLEET[2], "empty": ""}, {}], keys=[90, 91, 92])
    assert again.refs.tolist() == [3, 2, 5]
    assert again.is_new.tolist() == [False, False, True]
    assert again.new_refs.tolist() == [5]
    assert fleet.resolve(TENANT, np.array([90, 91, 92, 3, 93], np.uint64)).tolist() == [3, 2, 5, 3, -1]


def test_a_repeated_set_in_one_batch_is_new_once():
    interned = intern(Catalogue(), [{"a": "1"}, {"a": "1"}, {"a": "2"}])
    assert (interned.refs.tolist(), interned.is_new.tolist()) == ([0, 0, 1], [True, False, True])


def test_names_and_values_do_not_run_into_each_other():
    sets = [{"ab": "c"}, {"a": "bc"}, {"a": "b", "c": "d"}, {"a": "d", "c": "b"}, {"b": "a"}, {"c": "ab"}]
    assert intern(Catalogue(), sets).refs.tolist() == [0, 1, 2, 3, 4, 5]


def test_tenants_are_strangers(fleet):
    other = intern(fleet, FLEET[:1], tenant="other")
    assert other.refs.tolist() == [5]
    assert fleet.resolve("other", np.array([0, 1], np.uint64)).tolist() == [5, -1]
    assert fleet.resolve("third", np.array([0], np.uint64)).tolist() == [-1]
    assert chosen(fleet, ("__name__", EQ, "up"), tenant="other") == [5]
    assert chosen(fleet, tenant="third") == []
    assert fleet.metric_ids(np.array([0, 5])).tolist() == [0, 3]


def test_labels_are_sorted_by_bytes_of_the_name():
    names = ["é", "zz", "z", "_", "A", "a1", "a", "__name__", *(f"label_{n:03d}" for n in range(99, 0, -3))]
    catalogue = Catalogue()
    intern(catalogue, [dict.fromkeys(names, "v")])
    row = catalogue.pending(0).rows.to_pylist()[0]
    assert row["label_names"] == sorted(names, key=str.encode)
    assert row["label_values"] == ["v"] * len(names)


def test_keys_must_fit_the_labels():
    with pytest.raises(ValueError, match="1 keys for 2 label sets"):
        intern(Catalogue(), [{"a": "1"}, {}], keys=[1])


def test_metric_ids_are_dense_per_tenant_and_name(fleet):
    assert fleet.metric_ids(np.arange(5)).tolist() == [0, 0, 0, 1, 2]
    assert [fleet.metric_name(number) for number in range(3)] == ["up", "cost", ""]
    with pytest.raises(IndexError):
        fleet.metric_name(3)


# -- selection -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("matchers", "expected"),
    [
        ([("__name__", EQ, "up")], [0, 1, 2]),
        ([("__name__", EQ, "down")], []),
        ([], [0, 1, 2, 3, 4]),
        ([("pod", EQ, "a-1")], [0, 3]),
        ([("pod", EQ, "")], [2, 4]),
        ([("pod", NE, "")], [0, 1, 3]),
        ([("pod", NE, "a-1")], [1, 2, 4]),
        ([("pod", RE, "a-.")], [0, 1, 3]),
        ([("pod", RE, "a-")], []),  # anchored
        ([("pod", RE, "-1")], []),
        ([("pod", RE, "a-1|a-2")], [0, 1, 3]),
        ([("pod", RE, "(a-1|nope)")], [0, 3]),
        ([("pod", RE, "a-1|")], [0, 2, 3, 4]),
        ([("pod", RE, "")], [2, 4]),
        ([("pod", RE, ".*")], [0, 1, 2, 3, 4]),
        ([("pod", NRE, ".*")], []),
        ([("pod", RE, ".+")], [0, 1, 3]),
        ([("pod", NRE, ".+")], [2, 4]),
        ([("pod", RE, "a.*")], [0, 1, 3]),
        ([("pod", NRE, "a.*")], [2, 4]),
        ([("pod", RE, "x?")], [2, 4]),
        ([("pod", RE, "(?i)A-1")], [0, 3]),
        ([("model", RE, r"x\.y")], [3]),
        ([("model", RE, r"x\..*")], [3]),
        ([("model", RE, r"\Qx.y")], [3]),
        ([("model", RE, r"\Qxay")], []),
        ([("unheard", EQ, "")], [0, 1, 2, 3, 4]),
        ([("unheard", NE, "")], []),
        ([("unheard", RE, "a?")], [0, 1, 2, 3, 4]),
        ([("__name__", RE, "u.|c.*")], [0, 1, 2, 3]),
        ([("__name__", NE, "up")], [3, 4]),
        ([("__name__", EQ, "")], [4]),
        ([("__name__", NE, "")], [0, 1, 2, 3]),
        ([("__name__", EQ, "up"), ("__name__", RE, "c.*")], []),
        ([("job", EQ, "agents"), ("pod", NE, "a-2"), ("__name__", RE, "up|cost")], [0, 3]),
        # A symbol that exists as another label's value or as a name only.
        ([("pod", EQ, "agents")], []),
        ([("agents", EQ, "a-1")], []),
        # One alternative more than are compared one by one.
        ([("pod", RE, "a-1|b|c|d|e|a-2")], [0, 1, 3]),
        ([("job", RE, "agents|tools|nameless|a-1|a-2|x.y|up")], [0, 1, 2, 3, 4]),
    ],
)
def test_matchers(fleet, matchers, expected):
    assert chosen(fleet, *matchers) == expected
    assert chosen(fleet, *matchers) == expected  # the second time from what is remembered


def test_a_dot_matches_a_line_feed():
    catalogue = Catalogue()
    intern(catalogue, [{"text": "a\nb"}, {"text": "ab"}])
    assert chosen(catalogue, ("text", RE, "a.b")) == [0]
    assert chosen(catalogue, ("text", RE, "a.*b")) == [0, 1]
    assert chosen(catalogue, ("text", RE, "a.*")) == [0, 1]
    assert chosen(catalogue, ("text", RE, "a$")) == []


@pytest.mark.parametrize("regex", ["a(", "[", "*", "(?P<n", r"a\8", "a)(b"])
def test_bad_regex_is_named_with_its_cause(fleet, regex):
    with pytest.raises(QueryFailedError) as caught:
        select(fleet, ("pod", RE, regex))
    assert regex in str(caught.value)
    assert len(str(caught.value)) > len(regex) + 18


def test_only_names_that_occur_and_absent_where_missing(fleet):
    selection = select(fleet, ("__name__", EQ, "up"))
    assert set(selection.labels.names) == {"__name__", "job", "pod"}
    assert labels_of(fleet, selection) == FLEET[:3]
    assert set(select(fleet, ("job", EQ, "tools")).labels.names) == {"__name__", "job"}
    assert select(fleet, ("job", EQ, "none")).labels.codes.shape == (0, 0)


def test_results_belong_to_the_caller(fleet):
    for _ in range(2):
        selection = select(fleet, ("__name__", EQ, "up"))
        selection.labels.codes[:] = 77
        selection.refs[:] = 77
    assert labels_of(fleet, select(fleet, ("__name__", EQ, "up"))) == FLEET[:3]
    assert chosen(fleet, ("__name__", EQ, "up")) == [0, 1, 2]


def test_new_series_join_remembered_selections(fleet):
    assert chosen(fleet, ("pod", RE, "a-.")) == [0, 1, 3]
    intern(fleet, [{"__name__": "up", "pod": "a-3", "zone": "z"}, {"__name__": "more", "pod": "a-4"}], keys=[70, 71])
    assert chosen(fleet, ("pod", RE, "a-.")) == [0, 1, 5, 3, 6]  # by metric, then ref
    assert chosen(fleet, ("pod", EQ, "a-3")) == [5]
    assert chosen(fleet, ("zone", EQ, "z")) == [5]


def test_more_metrics_than_are_looked_at_one_by_one():
    catalogue = Catalogue()
    sets = [{"__name__": f"m_{n % 100}", "n": str(n)} for n in range(1000)]
    intern(catalogue, sets)
    expected = sorted((n for n in range(1000) if n % 7 == 0), key=lambda n: (n % 100, n))
    regex = "|".join(str(n) for n in range(0, 1000, 7))
    assert chosen(catalogue, ("n", RE, regex)) == expected
    assert chosen(catalogue, ("__name__", RE, "m_[0-9]{2}"), ("n", RE, "(9|8)+1?5")) == sorted(
        (n for n in range(1000) if str(n) in {"95", "85", "985", "995", "885", "895", "815", "915"}),
        key=lambda n: (n % 100, n),
    )


# -- time ----------------------------------------------------------------------------------------------------------


def test_time_excludes_series_without_overlap(fleet):
    fleet.record_samples(np.array([0, 0, 1, 2, -1, 99]), np.array([100, 200, 300, 400, 0, 0]), 1000)
    name = ("__name__", EQ, "up")
    assert chosen(fleet, name, when=(0, 99)) == []
    assert chosen(fleet, name, when=(0, 100)) == [0]
    assert chosen(fleet, name, when=(150, 160)) == [0]
    assert chosen(fleet, name, when=(200, 300)) == [0, 1]
    assert chosen(fleet, name, when=(301, 399)) == []
    assert chosen(fleet, name, when=(-(2**70), 2**70)) == [0, 1, 2]
    assert chosen(fleet, ("__name__", EQ, "cost"), when=(0, 1)) == [3]  # no sample yet: may be committing
    assert set(select(fleet, name, when=(400, 400)).labels.names) == {"__name__", "job"}
    assert fleet.label_values(TENANT, "pod", [[Matcher(*name)]], 250, 350) == ["a-2"]
    assert fleet.label_names(TENANT, [[Matcher(*name)]], 400, 400) == ["__name__", "job"]


def test_histograms_are_known(fleet):
    assert not select(fleet).has_histograms
    fleet.record_histograms(np.array([1]), np.array([500]), 1000)
    assert select(fleet, ("__name__", EQ, "up")).has_histograms
    assert not select(fleet, ("__name__", EQ, "cost")).has_histograms
    assert not select(fleet, ("__name__", EQ, "up"), when=(0, 499)).has_histograms


def test_activity_by_window():
    catalogue = Catalogue(active_window_ms=60_000)
    intern(catalogue, FLEET, now_ms=1_000_000)
    intern(catalogue, FLEET[:1], tenant="other", now_ms=1_000_000)
    assert catalogue.active_total() == 6
    catalogue.record_samples(np.array([0, 1, 5]), np.array([1, 1, 1]), 1_050_000)
    active = catalogue.refresh_active(1_080_000)
    assert (active.total, active.by_tenant, active.by_metric.tolist()) == (3, {TENANT: 2, "other": 1}, [2, 0, 0, 1])
    catalogue.record_samples(np.array([3, 3]), np.array([1, 1]), 1_081_000)
    assert (catalogue.active_total(), catalogue.active_total(TENANT), catalogue.active_total("none")) == (4, 3, 0)
    assert catalogue.active_of_metric(TENANT, "cost") == 1
    assert catalogue.refresh_active(1_200_000).total == 0


# -- persistence ---------------------------------------------------------------------------------------------------


def test_export_rows(fleet):
    pending = fleet.pending(1234)
    assert pending.rows.schema.names == [
        "ref", "metric_id", "tenant", "metric", "label_names", "label_values", "created_ms",
    ]  # fmt: skip
    assert pending.rows.to_pylist()[3] == {
        "ref": 3,
        "metric_id": 1,
        "tenant": TENANT,
        "metric": "cost",
        "label_names": ["__name__", "job", "model", "pod"],
        "label_values": ["cost", "agents", "x.y", "a-1"],
        "created_ms": 1234,
    }
    pending.rows.validate(full=True)
    assert pending.end_ref == 5


def test_pending_until_marked(fleet):
    first = fleet.pending(0)
    intern(fleet, [{"late": "1"}], keys=[50])
    fleet.mark_persisted(first.end_ref)
    assert [row["ref"] for row in fleet.pending(0).rows.to_pylist()] == [5]
    fleet.drop(np.array([5]))
    assert len(fleet.pending(0).rows) == 0
    fleet.mark_persisted(6)
    fleet.mark_persisted(2)  # an older mark takes nothing back
    assert len(fleet.pending(0).rows) == 0


def as_clickhouse_sends(rows: pa.RecordBatch) -> pa.Table:
    """Strings as binary, the tenant as a dictionary."""
    columns = []
    for name, column in zip(rows.schema.names, rows.columns, strict=True):
        if name == "tenant":
            column = column.cast(pa.binary()).dictionary_encode()
        elif name.startswith("label_"):
            column = column.cast(pa.large_list(pa.binary()) if name == "label_names" else pa.list_(pa.large_binary()))
        columns.append(column)
    return pa.table(columns, names=rows.schema.names)


@pytest.mark.parametrize(
    "changed", [lambda rows: rows, as_clickhouse_sends, lambda rows: pa.Table.from_batches([rows])]
)
def test_load_keeps_refs_metrics_and_identity(fleet, changed):
    fleet.drop(np.array([1]))
    reborn = Catalogue()
    rows = fleet.export_new(np.array([0, 2, 3, 4]), 0)
    assert reborn.load(changed(rows)) == 4
    assert chosen(reborn) == [0, 2, 3, 4]
    assert labels_of(reborn, select(reborn)) == [FLEET[0], *FLEET[2:]]
    assert reborn.metric_ids(np.array([0, 2, 3, 4])).tolist() == [0, 0, 1, 2]
    assert len(reborn.pending(0).rows) == 0
    again = intern(reborn, FLEET)
    assert again.refs.tolist() == [0, 5, 2, 3, 4]
    assert reborn.metric_ids(again.refs).tolist() == [0, 0, 0, 1, 2]
    assert [row["ref"] for row in reborn.pending(0).rows.to_pylist()] == [5]


def test_load_in_any_order_sliced_and_with_doubles(fleet):
    rows = fleet.export_new(np.array([4, 2, 0, 2, 3, 1, 0]), 0)
    reborn = Catalogue()
    assert reborn.load(pa.Table.from_batches([rows.slice(0, 3), rows.slice(3)])) == 5
    assert chosen(reborn) == [0, 1, 2, 3, 4]
    assert labels_of(reborn, select(reborn)) == FLEET
    assert reborn.load(rows.slice(5, 1)) == 0


def test_load_of_nothing():
    catalogue = Catalogue()
    assert catalogue.load(Catalogue().pending(0).rows) == 0
    assert chosen(catalogue) == []


def test_damaged_rows_are_refused(fleet):
    rows = fleet.export_new(np.arange(5), 0)
    columns = rows.columns
    columns[5] = pa.array([["x"]] * 5)
    with pytest.raises(ValueError, match="label_names and label_values"):
        Catalogue().load(pa.record_batch(columns, schema=rows.schema))


def test_loaded_series_are_never_excluded_by_time_until_their_range_is_told(fleet):
    reborn = Catalogue()
    reborn.load(fleet.pending(0).rows)
    reborn.record_samples(np.array([0]), np.array([1000]), 1000)
    assert chosen(reborn, ("__name__", EQ, "up"), when=(0, 10)) == [0, 1, 2]
    reborn.set_time_ranges(np.array([0, 1]), np.array([5, 500]), np.array([20, 600]))
    assert chosen(reborn, ("__name__", EQ, "up"), when=(0, 10)) == [0, 2]
    assert chosen(reborn, ("__name__", EQ, "up"), when=(1000, 1000)) == [0, 2]
    reborn.mark_histograms(np.array([2]))
    assert select(reborn, ("__name__", EQ, "up")).has_histograms
    assert reborn.active_total() == 1


def test_reserved_numbers_are_not_given_out(fleet):
    fleet.reserve_numbers(100, 40)
    interned = intern(fleet, [{"__name__": "fresh"}, FLEET[0]], keys=[60, 61])
    assert interned.refs.tolist() == [100, 0]
    assert fleet.metric_ids(interned.refs).tolist() == [40, 0]
    assert fleet.next_ref == 101
    assert chosen(fleet) == [0, 1, 2, 3, 4, 100]
    assert fleet.are_live(np.array([-1, 0, 50, 100, 101])).tolist() == [False, True, False, True, False]


# -- removal -------------------------------------------------------------------------------------------------------


def test_dropped_series_are_gone_everywhere(fleet):
    select(fleet), select(fleet, ("pod", RE, "a.*"))
    assert fleet.drop(np.array([0, 3, 3, 99, -1])) == 2
    assert chosen(fleet) == [1, 2, 4]
    assert chosen(fleet, ("pod", RE, "a.*")) == [1]
    assert fleet.resolve(TENANT, np.arange(5, dtype=np.uint64)).tolist() == [-1, 1, 2, -1, 4]
    assert fleet.label_names(TENANT, [], *EVER) == ["__name__", "job", "pod"]
    assert fleet.label_values(TENANT, "__name__", [], *EVER) == ["up"]
    assert (fleet.n_series, fleet.active_total()) == (3, 3)
    assert fleet.statistics(TENANT).n_series == 3
    fleet.record_samples(np.array([0]), np.array([5]), 5)
    assert fleet.active_total() == 3
    back = intern(fleet, FLEET, keys=range(40, 45))
    assert back.refs.tolist() == [5, 1, 2, 6, 4]
    assert chosen(fleet, ("__name__", EQ, "cost")) == [6]
    assert fleet.metric_ids(np.array([6])).tolist() == [1]


def test_expired(fleet):
    fleet.record_samples(np.array([0, 1, 2]), np.array([100, 900, 100]), 10_000)
    fleet.record_samples(np.array([2]), np.array([50]), 90_000)  # old data that arrives now: leave it
    assert fleet.expired(500, 60_000).tolist() == [0, 3, 4]
    assert fleet.expired(500, 5_000).tolist() == [3, 4]


# -- names, values, figures ------------------------------------------------------------------------------------------


def test_label_names_and_values(fleet):
    agents = [Matcher("job", EQ, "agents")]
    tools = [Matcher("job", EQ, "tools")]
    assert fleet.label_names(TENANT, [], *EVER) == ["__name__", "job", "model", "pod"]
    assert fleet.label_names(TENANT, [tools], *EVER) == ["__name__", "job"]
    assert fleet.label_values(TENANT, "pod", [], *EVER) == ["a-1", "a-2"]
    assert fleet.label_values(TENANT, "job", [agents, tools], *EVER) == ["agents", "tools"]
    assert fleet.label_values(TENANT, "__name__", [agents], *EVER) == ["cost", "up"]
    assert fleet.label_values(TENANT, "unheard", [], *EVER) == []
    assert fleet.label_values("nobody", "job", [], *EVER) == []
    assert fleet.label_names("nobody", [], *EVER) == []


def test_statistics(fleet):
    figures = fleet.statistics(TENANT, limit=2)
    assert (figures.n_series, figures.n_label_names, figures.n_label_pairs) == (5, 4, 8)
    assert figures.series_by_metric == [("up", 3), ("", 1)]  # "" and "cost" tie at 1
    assert figures.values_by_label == [("job", 3), ("__name__", 2)]
    # job: 3 * agents + tools + nameless = 31; __name__: 3 * up + cost = 10; pod: 3 * 3; model: 3
    assert figures.label_value_bytes == [("job", 31), ("__name__", 10)]
    assert figures.series_by_pair == [("__name__=up", 3), ("job=agents", 3)]
    assert fleet.statistics("nobody").series_by_pair == []


# -- against the naive one -----------------------------------------------------------------------------------------

NAMES = st.sampled_from(["__name__", "job", "pod", "é", "z", "a"])
VALUES = st.sampled_from(["a", "b", "ab", "abc", "a.b", "a\nb", "up", "é", "-", "job"])
SETS = st.lists(st.dictionaries(NAMES, VALUES, max_size=5), max_size=12)
REGEXES = [
    "a|b",
    "a.*",
    ".+",
    ".*",
    "",
    "a.?b",
    "[ab]+",
    "a|",
    "(a|up)",
    "(?i)AB",
    "a\\.b",
    "a.b",
    "é",
    "x",
    "a(b|c)*",
    "b?",
]
MATCHERS = st.lists(
    st.one_of(
        st.builds(Matcher, NAMES, st.sampled_from([EQ, NE]), st.one_of(VALUES, st.sampled_from(["", "nope"]))),
        st.builds(Matcher, NAMES, st.sampled_from([RE, NRE]), st.sampled_from(REGEXES)),
    ),
    max_size=3,
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("intern"), st.sampled_from(["t1", "t2"]), SETS),
        st.tuples(st.just("select"), st.sampled_from(["t1", "t2", "t3"]), MATCHERS, st.integers(0, 50)),
        st.tuples(st.just("drop"), st.lists(st.integers(0, 30), max_size=4)),
        st.tuples(st.just("record"), st.lists(st.tuples(st.integers(0, 30), st.integers(0, 50)), max_size=6)),
        st.tuples(st.sampled_from(["restart", "finish"])),
    ),
    max_size=14,
)


@settings(deadline=None, max_examples=portion(150, 50))
@given(STEPS)
@example([("intern", "t1", [{}]), ("restart",), ("record", [(0, 6)]), ("select", "t1", [], 0)])
def test_like_the_naive_catalogue(steps):
    real, naive, key = Catalogue(), NaiveCatalogue(), 0
    for step, *given_values in steps:
        if step == "intern":
            tenant, sets = given_values
            refs, new = naive.intern(tenant, sets)
            interned = intern(real, sets, keys=range(key, key + len(sets)), tenant=tenant)
            assert (interned.refs.tolist(), interned.is_new.tolist()) == (refs, new)
            assert real.resolve(tenant, np.arange(key, key + len(sets), dtype=np.uint64)).tolist() == refs
            assert real.metric_ids(interned.refs).tolist() == [naive.metric_id(ref) for ref in refs]
            key += len(sets)
        elif step == "drop":
            naive.drop(given_values[0])
            real.drop(np.array(given_values[0], np.int64))
        elif step == "record":
            known = [(ref, ts) for ref, ts in given_values[0] if ref in naive.labels]
            naive.record([ref for ref, _ in known], [ts for _, ts in known])
            rows = np.array(known, np.int64).reshape(-1, 2)
            real.record_samples(rows[:, 0], rows[:, 1], 0)
        elif step == "restart":
            rows = real.export_new(np.array(sorted(naive.labels), np.int64), 0)
            # Where the newest series or metrics are gone, only `reserve_numbers` keeps theirs from being reused.
            real = Catalogue()
            real.load(rows)
            real.reserve_numbers(naive.next_ref, naive.next_metric_id)
            naive.restart()
            ranges = [(ref, *naive.ranges[ref]) for ref in naive.labels if ref in naive.ranges]
            columns = np.array(ranges, np.int64).reshape(-1, 3).T
            real.set_time_ranges(*columns)
        elif step == "finish":
            real.finish_time_ranges()
            naive.finish_time_ranges()
        else:
            tenant, matchers, at = given_values
            selection = real.select_series(tenant, matchers, at, at + 5)
            assert selection.refs.tolist() == naive.select(tenant, matchers, at, at + 5)
            assert labels_of(real, selection) == [naive.labels[ref][1] for ref in selection.refs.tolist()]
            names = {name for ref in selection.refs.tolist() for name in naive.labels[ref][1]}
            assert real.label_names(tenant, [matchers], at, at + 5) == sorted(names)
            jobs = {naive.labels[ref][1].get("job") for ref in selection.refs.tolist()} - {None}
            assert real.label_values(tenant, "job", [matchers], at, at + 5) == sorted(jobs)


# -- ranges on disk ------------------------------------------------------------------------------------------------


def test_series_without_anything_on_disk_expire_once_all_ranges_are_told(fleet):
    reborn = Catalogue()
    reborn.load(fleet.pending(0).rows)
    reborn.set_time_ranges(np.array([0]), np.array([100]), np.array([200]))
    assert reborn.expired(50, 1000).tolist() == []
    assert chosen(reborn, when=(0, 10)) == [1, 2, 3, 4]
    reborn.finish_time_ranges()
    assert chosen(reborn, when=(0, 10)) == []
    assert chosen(reborn, when=(0, 100)) == [0]
    assert reborn.expired(50, 1000).tolist() == [1, 2, 3, 4]
    reborn.record_samples(np.array([1]), np.array([7]), 5000)
    assert chosen(reborn, when=(0, 10)) == [1]


def test_ranges_shrink_after_a_deletion(fleet):
    fleet.record_samples(np.array([0, 0, 1]), np.array([100, 200, 100]), 0)
    fleet.replace_time_ranges(np.array([0, 1, 99]), np.array([150, 2**62, 0]), np.array([200, -(2**62), 0]))
    assert chosen(fleet, ("pod", RE, "a-."), ("__name__", EQ, "up"), when=(0, 149)) == []
    assert chosen(fleet, ("pod", RE, "a-."), ("__name__", EQ, "up"), when=(0, 150)) == [0]


def test_series_of_metrics(fleet):
    assert fleet.n_series_of(np.array([0, 2], np.uint32)) == 4
    fleet.drop(np.array([1]))
    assert fleet.n_series_of(np.array([0], np.uint32)) == 2


def test_warm_up_runs():
    warm_up()
