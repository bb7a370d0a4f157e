"""Compiles the catalogue's kernels, or loads them from Numba's cache, before the first request needs them."""

from __future__ import annotations

import numpy as np

from swarmscope.model.labels import METRIC_NAME, LabelSets
from swarmscope.model.matchers import Matcher, MatchOperator
from swarmscope.store.catalogue.series_catalogue import Catalogue

_TENANT = "warm-up"
_EVER = (-(1 << 62), 1 << 62)


def warm_up() -> None:
    """Run every operation once on a catalogue of its own. About 20 s the first time, well under a second later."""
    catalogue = Catalogue()
    # More series than the first tables hold, so that growing is compiled too; more metrics than go by column.
    sets = LabelSets.from_dicts({METRIC_NAME: f"m{n % 40}", "n": str(n), "a": "x"} for n in range(3000))
    keys = np.arange(3000, dtype=np.uint64)
    refs = catalogue.intern(_TENANT, keys, sets, 0).refs
    catalogue.resolve(_TENANT, keys)
    catalogue.record_samples(refs, refs, 0)
    catalogue.are_live(refs)
    for matchers in (
        [Matcher("n", MatchOperator.REGEX, "1+"), Matcher("a", MatchOperator.EQUAL, "x")],
        [Matcher("n", MatchOperator.REGEX, "1|2|3|4|5|6"), Matcher(METRIC_NAME, MatchOperator.EQUAL, "m1")],
    ):
        catalogue.select_series(_TENANT, matchers, *_EVER)
        catalogue.label_names(_TENANT, [matchers], *_EVER)
    catalogue.label_values(_TENANT, "n", [], *_EVER)
    catalogue.statistics(_TENANT)
    rows = catalogue.pending(0).rows
    catalogue.set_time_ranges(refs, refs, refs)
    catalogue.replace_time_ranges(refs, refs, refs)
    catalogue.mark_histograms(refs)
    catalogue.expired(0, 0)
    catalogue.refresh_active(10**9)
    catalogue.drop(refs[::2])
    Catalogue().load(rows)
