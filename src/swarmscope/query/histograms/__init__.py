"""Native histogram mathematics of PromQL, on columns. Import from the modules; this page is the map.

Representation (`rows`): `HistogramRows` is a NamedTuple of arrays, one histogram a row, without series or time
(`from_columns(HistogramColumns)`, `take_rows`, `concat_rows`,
`row_count`; never `len()`, that counts fields). Series × steps is `HistogramMatrix(cells [n_series, n_steps], rows)`:
a cell is a row number, NO_HISTOGRAM (-1) where there is none.

Annotations (`annotations`): kernels return `HistogramNote` bits in int64 arrays;
`note_messages(flags, metric_name, operator)` gives `(warnings, infos)` in Prometheus' words, without position.

Windows (`windows`): `window_bounds(offsets, ts_ms, ends_ms, range_ms) -> (first, past)`, left-open;
`latest_rows(offsets, ts_ms, steps_ms, lookback_ms) -> cells` of the newest row, staleness markers included.

Range functions (`range_functions`): `evaluate_range(function, RangeInput) -> RangeResult(matrix, drops_float, notes)`
for HISTOGRAM_RANGE_FUNCTIONS; staleness markers MUST be dropped before. `transitions`: `count_changes(RangeInput,
float_values)`, `count_resets(...)` -> floats [n_series, n_steps], floats and histograms merged.

Operators (`operators`), on `Operand(rows, cells [n])`: `add_rows`, `subtract_rows`, `scale_rows`, `divide_rows`,
`negate_rows` -> `Combined(cells [n], rows, notes [n])`; `equal_rows` -> bool [n];
`aggregate_rows(matrix, group, n_groups, mean) -> Aggregated(matrix, notes [n_groups])`.

To floats, in the shape of `cells`: `quantiles.histogram_quantile(rows, cells, phi)` and
`histogram_fraction(rows, cells, lower, upper)` -> `Estimates(values, notes)`; `moments.histogram_count`, `_sum`,
`_avg`, `_stddev`, `_stdvar`.

Classic buckets (`classic`): `group_buckets(group, n_groups, upper_bounds, counts, present) -> ClassicBuckets`;
`classic_quantile(phi, buckets)`, `classic_fraction(lower, upper, buckets) -> ClassicEstimates(values, valid, forced)`.

Output: `rendering.histogram_json(rows, row)` and `histogram_text(rows, row)`. `warming.warm_up()` compiles everything.
"""
