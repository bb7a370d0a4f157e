"""Evaluations that spans and lines bring, read out of their columns.

Finding them costs one compiled walk over the names of attributes and of events; what is found is rare, and read one by
one, up to a bound a batch.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.ingest.genai.open_spans import as_attributes
from swarmscope.ingest.genai.read_only import read_only
from swarmscope.ingest.genai.text_hashes import text_hashes
from swarmscope.model.attributes import AttributeSets, Scalar, ValueKind
from swarmscope.model.byte_ranges import bytes_equal
from swarmscope.model.evaluations import EVALUATION_EVENT, Evaluation, Responses
from swarmscope.model.labels import Utf8Column
from swarmscope.model.logs import LogBatch
from swarmscope.model.raw_memory import address_of, load_u8
from swarmscope.model.span_keys import span_keys
from swarmscope.model.spans import SpanBatch

# Of one batch: some 50 ms of work. What is beyond is counted.
MAX_RESULTS = 5_000
_RESPONSE_ID = "gen_ai.response.id"
_NAME, _SCORE, _LABEL = "gen_ai.evaluation.name", "gen_ai.evaluation.score.value", "gen_ai.evaluation.score.label"
_EXPLANATION, _AGENT = "gen_ai.evaluation.explanation", "gen_ai.agent.name"
_EVENT_NAMES = ("event_name", "event.name")  # the field of a record, and the attribute that was there before it
# https://github.com/Arize-ai/openinference/blob/main/spec/annotations.md: two words for one thing, three scopes.
_ANNOTATION = re.compile(
    r"(?P<set>(?:trace\.|session\.)?(?:annotations|evaluations)\.\d{1,9})\.(?:annotation|evaluation)\."
    r"(?P<field>name|score|label|explanation|identifier)"
)
_ANNOTATION_WORDS = (b"annotations.", b"evaluations.")
_SCOPES = (b"trace.", b"session.")
_PREFIXES = tuple(scope + word for scope in (b"", *_SCOPES) for word in _ANNOTATION_WORDS)
_KIND, _EVALUATOR = "openinference.span.kind", "EVALUATOR"
_MAX_TEXT = 256  # characters of a name or a label; what is longer is none


class Results(NamedTuple):
    """What a batch told."""

    found: list[Evaluation]
    n_malformed: int  # events without a name or without a finding
    n_beyond: int  # more than are read of one batch


def read_lines(batch: LogBatch, seed: int) -> Results:
    """Evaluations that lines tell: those whose event is `gen_ai.evaluation.result`."""
    metadata = as_attributes(batch.metadata)
    rows = np.zeros(0, np.int64)
    for name in _EVENT_NAMES:
        pairs = metadata.find(name)
        told = np.flatnonzero(pairs >= 0)  # few lines, or none
        if len(told):
            names = metadata.values.text.take(pairs[told])
            rows = np.union1d(rows, told[_has_text(names, EVALUATION_EVENT)])
    if not len(rows):
        return Results([], 0, 0)
    kept = rows[:MAX_RESULTS]
    keys = span_keys(seed, batch.trace_id[kept], batch.span_id[kept]).tolist()
    sets = metadata.take(kept)
    responses = text_hashes(sets.column(_RESPONSE_ID).text, seed).tolist()
    found = []
    for fields, key, response in zip(sets.to_dicts(), keys, responses, strict=True):
        result = _of_event(fields)
        if result is not None:
            found.append(result._replace(response=response, span_key=key))
    return Results(found, len(kept) - len(found), len(rows) - len(kept))


def read_spans(batch: SpanBatch, seed: int) -> Results:
    """Evaluations that spans tell: events `gen_ai.evaluation.result`, and OpenInference's annotations."""
    events = np.flatnonzero(_has_text(batch.events.name, EVALUATION_EVENT))
    annotated = np.flatnonzero(has_annotations(batch.attributes))
    if not len(events) and not len(annotated):
        return Results([], 0, 0)
    kept = events[:MAX_RESULTS]
    owner = np.searchsorted(batch.events.offsets, kept, side="right") - 1
    rows = np.union1d(owner, annotated[:MAX_RESULTS])
    targets = dict(zip(rows.tolist(), _targets(batch, rows, seed), strict=True))
    sets = batch.events.attributes.take(kept)
    responses = text_hashes(sets.column(_RESPONSE_ID).text, seed).tolist()
    found: list[Evaluation] = []
    n_malformed = 0
    for told, row, response in zip(sets.to_dicts(), owner.tolist(), responses, strict=True):
        result = _of_event(told)
        if result is None:
            n_malformed += 1
        else:
            found.append(result._replace(is_explicit=bool(result.agent), response=response, span_key=targets[row]))
    beyond = len(events) - len(kept) + len(annotated) - min(len(annotated), MAX_RESULTS)
    kept = annotated[:MAX_RESULTS]
    for row, told in zip(kept.tolist(), _annotations(batch.attributes.take(kept)).to_dicts(), strict=True):
        for result in _of_annotations(told):
            if result is None:
                n_malformed += 1
            elif len(found) < MAX_RESULTS:
                found.append(result._replace(span_key=targets[row]))
            else:
                beyond += 1
    return Results(found, n_malformed, beyond)


def read_responses(batch: SpanBatch, seed: int) -> Responses:
    """Spans that tell the id of a model's response."""
    pairs = batch.attributes.find(_RESPONSE_ID)
    rows = np.flatnonzero(pairs >= 0)
    hashes = text_hashes(batch.attributes.values.text.take(pairs[rows]), seed)
    return Responses(hashes, span_keys(seed, batch.trace_id[rows], batch.span_id[rows]))


def _targets(batch: SpanBatch, rows: NDArray[np.int64], seed: int) -> list[int]:
    """The key of what each of the spans `rows` [k] tells of: itself, or the span that it links to as a mere carrier."""
    own = span_keys(seed, batch.trace_id[rows], batch.span_id[rows])
    first, n_links = batch.links.offsets[rows], np.diff(batch.links.offsets)[rows]
    kinds = batch.attributes.column(_KIND)
    carries = (n_links == 1) & _has_text(kinds.text, _EVALUATOR)[rows] & (kinds.kind[rows] == ValueKind.STRING)
    carriers = np.flatnonzero(carries)
    links = first[carriers]
    own[carriers] = span_keys(seed, batch.links.trace_id[links], batch.links.span_id[links])
    keys: list[int] = own.tolist()
    return keys


def _of_event(told: Mapping[str, Scalar]) -> Evaluation | None:
    """What an event's attributes say; None where it has no name, or nothing was found."""
    name, label, agent = (_text(told.get(key)) for key in (_NAME, _LABEL, _AGENT))
    score = _number(told.get(_SCORE))
    is_told = not math.isnan(score) or label or _text(told.get(_EXPLANATION), math.inf)
    return Evaluation(name, score, label, agent) if name and is_told else None


def _of_annotations(told: Mapping[str, Scalar]) -> Iterator[Evaluation | None]:
    """What a span's annotations say; one that stands under both words is one. None for each that says nothing."""
    sets: dict[str, dict[str, Scalar]] = {}
    for key, value in told.items():
        match = _ANNOTATION.fullmatch(key)
        if match is not None:
            sets.setdefault(match["set"], {})[match["field"]] = value
    seen = set()
    for key, fields in sets.items():
        name, label = _text(fields.get("name")), _text(fields.get("label"))
        score = _number(fields.get("score"))
        if not name or (math.isnan(score) and not label and not _text(fields.get("explanation"), math.inf)):
            yield None
            continue
        scope = key.partition(".")[0] if key.startswith(("trace.", "session.")) else ""
        identity = scope, name, str(score), label, _text(fields.get("identifier"))
        if (identity, _other_word(key)) not in seen:
            yield Evaluation(name, score, label)
        seen.add((identity, _word(key)))


def _word(key: str) -> str:
    return "annotations" if "annotations." in key else "evaluations"


def _other_word(key: str) -> str:
    return "evaluations" if _word(key) == "annotations" else "annotations"


def _text(value: Scalar, most: float = _MAX_TEXT) -> str:
    return value if isinstance(value, str) and len(value) <= most else ""


def _number(value: Scalar) -> float:
    """A finite number; nan for none. Attributes of lines are texts."""
    try:
        number = float(value) if isinstance(value, str | int | float) else math.nan
    except (ValueError, OverflowError):
        return math.nan
    return number if math.isfinite(number) else math.nan


def _has_text(texts: Utf8Column, wanted: str) -> NDArray[np.bool_]:
    """Which texts [n] are `wanted`."""
    sought = wanted.encode()
    there: NDArray[np.bool_] = texts.length == len(sought)
    rows = np.flatnonzero(there)
    if len(rows):
        bytes_of = texts.buffer[texts.start[rows, np.newaxis] + np.arange(len(sought))]
        there[rows] = (bytes_of == np.frombuffer(sought, np.uint8)).all(axis=1)
    return there


def _annotations(sets: AttributeSets) -> AttributeSets:
    """Without all that no annotation is of: spans may be long, with whole conversations in them."""
    each = AttributeSets(np.arange(len(sets.names) + 1), sets.names, sets.values)
    return sets.without(np.flatnonzero(~has_annotations(each)))


def has_annotations(sets: AttributeSets) -> NDArray[np.bool_]:
    """Which sets [n] have an attribute that an annotation or an evaluation of OpenInference may be of."""
    names = sets.names
    found: NDArray[np.bool_] = _with_prefixes(
        read_only(names.buffer), names.start, names.length, sets.offsets, _STARTS, _STARTS_AT
    )
    return found


# All beginnings of names one behind the other, and where each begins.
_STARTS = np.frombuffer(b"".join(_PREFIXES), np.uint8)
_STARTS_AT = np.cumsum([0, *map(len, _PREFIXES)])


@njit(nogil=True, cache=True)
def _with_prefixes(
    buffer: NDArray[np.uint8],
    start: NDArray[np.int64],
    length: NDArray[np.int64],
    offsets: NDArray[np.int64],
    prefixes: NDArray[np.uint8],
    bounds: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Which sets [n_sets] have a name that begins with one of the prefixes."""
    base, sought = address_of(buffer), address_of(prefixes)
    found = np.zeros(len(offsets) - 1, np.bool_)
    for row in range(len(found)):
        for pair in range(offsets[row], offsets[row + 1]):
            if length[pair] == 0:
                continue
            first = load_u8(base, start[pair])
            for at in range(len(bounds) - 1):
                # Most names begin with another letter.
                if prefixes[bounds[at]] != first:
                    continue
                size = bounds[at + 1] - bounds[at]
                if length[pair] > size and bytes_equal(base + start[pair], sought + bounds[at], size):
                    found[row] = True
                    break
            if found[row]:
                break
    return found
