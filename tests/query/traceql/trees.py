"""Random traces for tests, and structural operators by looking at every pair of spans. # Slow path: tests alone"""

from hypothesis import strategies as st

from swarmscope.testing.plain_spans import NO_SPAN, PlainSpan, span_id, trace_id

S = 10**9


@st.composite
def forests(draw, max_traces=3, max_spans=8):
    """Spans of a few traces: parents that are missing, circles, spans that are their own parent."""
    spans = []
    for trace in range(1, draw(st.integers(1, max_traces)) + 1):
        for number in range(1, draw(st.integers(1, max_spans)) + 1):
            parent = draw(st.one_of(st.just(0), st.integers(1, max_spans + 1), st.integers(1, max(1, number - 1))))
            start = draw(st.integers(0, 20))
            spans.append(
                PlainSpan(
                    trace_id(trace), span_id(number), draw(st.sampled_from("ab")), start * S, (start + 1) * S,
                    span_id(parent) if parent else NO_SPAN, resource={"service.name": draw(st.sampled_from("xy"))},
                )
            )  # fmt: skip
    return spans


def parents_of(spans):
    """The position of each span's parent: circles are cut at their earliest span, of such at the least id."""
    by_id = {(span.trace_id, span.span_id): at for at, span in enumerate(spans)}
    parent = [by_id.get((span.trace_id, span.parent_id)) for span in spans]
    parent = [None if above == at else above for at, above in enumerate(parent)]
    for at in range(len(spans)):
        seen = [at]
        above = parent[at]
        while above is not None and above not in seen:
            seen.append(above)
            above = parent[above]
        if above is not None:
            circle = seen[seen.index(above) :]
            parent[min(circle, key=lambda each: (spans[each].start_ns, spans[each].span_id))] = None
    return parent


def ancestors(parent, at):
    """Positions of all spans above one."""
    found = []
    above = parent[at]
    while above is not None:
        found.append(above)
        above = parent[above]
    return found


def stands_so(relation, spans, parent, left, right):
    """Whether the span at `right` stands in the relation to the one at `left`."""
    a, b = spans[left], spans[right]
    if a.trace_id != b.trace_id:
        return False
    match relation:
        case ">":
            return parent[right] == left
        case "<":
            return parent[left] == right
        case ">>":
            return left in ancestors(parent, right)
        case "<<":
            return right in ancestors(parent, left)
        case _:
            return left != right and a.parent_id != NO_SPAN and a.parent_id == b.parent_id


def related(op, spans, lefts, rights):
    """Positions of the spans that `left op right` gives."""
    parent = parents_of(spans)
    relation = op.lstrip("!&")
    pairs = {(a, b) for a in lefts for b in rights if stands_so(relation, spans, parent, a, b)}
    matched = {b for _, b in pairs}
    if op.startswith("!"):
        return set(rights) - matched
    return matched | ({a for a, _ in pairs} if op.startswith("&") else set())
