"""Spans for tests, from few words; and a slow, plain account of what a forest has to find."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from swarmscope.model.agents import AgentOperation, AgentSpans, Vocabulary
from swarmscope.model.labels import Utf8Column
from swarmscope.model.spans import SpanKind

SECOND_NS = 10**9
TEXTS = ("agent", "agent_id", "agent_version", "team", "source", "target", "provider", "model", "tool", "workflow",
         "service")  # fmt: skip
PLAIN = ("operation", "channel", "kind", "status", "input_tokens", "output_tokens", "cached_tokens", "cost_usd",
         "cost_source", "payload_bytes")  # fmt: skip


def key_of(name: str) -> int:
    """The key of a span that a test knows by a name; 0 for none."""
    return int.from_bytes(name.encode().ljust(8, b"\1")[:8], "big") if name else 0


def make_spans(rows: list[dict[str, object]], vocabulary: Vocabulary) -> AgentSpans:
    """One span for each of `rows`: `key`, `parent`, `start` and `end` (seconds), `conversation`, `links`, columns."""
    spans = AgentSpans.blank(len(rows))
    ids = [str(row.get("conversation", "")) for row in rows]
    links = [[key_of(name) for name in row.get("links", ())] for row in rows]
    for at, row in enumerate(rows):
        spans.span_key[at] = key_of(str(row["key"]))
        spans.parent_key[at] = key_of(str(row.get("parent", "")))
        spans.span_id[at] = np.frombuffer(spans.span_key[at : at + 1].tobytes(), np.uint8)
        spans.trace_id[at, 0] = row.get("trace", 1)
        spans.start_ns[at] = round(row.get("start", 0) * SECOND_NS)
        spans.end_ns[at] = round(row.get("end", 1) * SECOND_NS)
        spans.conversation_key[at] = key_of(ids[at])
        for name in TEXTS:
            getattr(spans, name)[at] = vocabulary.code_of(str(row.get(name, "")))
        for name in PLAIN:
            if name in row:
                getattr(spans, name)[at] = row[name]
    spans.conversation = Utf8Column.from_strings(ids)
    spans.link_offsets = np.cumsum([0, *map(len, links)])
    spans.link_key = np.array([key for keys in links for key in keys], np.uint64)
    return spans


@dataclass
class Account:
    """What a forest has to find."""

    settled: dict[str, tuple]  # by key: agent, version, team, workflow, conversation, caller
    edges: Counter  # (source, target, type): interactions
    edge_tokens: Counter  # (source, target): tokens inside
    used: Counter  # agent: tokens
    calls: Counter  # agent: calls of models


INFERENCE = {AgentOperation.CHAT, AgentOperation.TEXT_COMPLETION, AgentOperation.GENERATE_CONTENT,
             AgentOperation.EMBEDDINGS}  # fmt: skip
BOUNDARIES = {AgentOperation.EXECUTE_TOOL, AgentOperation.INVOKE_AGENT, AgentOperation.INVOKE_WORKFLOW}
PROTOCOLS = {3: "message", 4: "handoff", 5: "a2a", 6: "mcp"}


def account_of(rows: list[dict[str, object]]) -> Account:
    """Everything span by span, with all of them at hand; parents in circles hang from the least key among them."""
    spans = {str(row["key"]): row for row in reversed(rows)}
    roots = _roots(spans)
    done: dict[str, dict] = {}
    account = Account({}, Counter(), Counter(), Counter(), Counter())

    def resolved(key: str) -> dict:
        if key not in done:
            parent = spans[key].get("parent", "")
            above = None if key in roots else resolved(str(parent))
            done[key] = _resolved(spans[key], above, account)
        return done[key]

    for key in spans:
        resolved(key)
    told_below, inner = _told_below(spans, roots), _inner(spans, done, roots)
    for key, span in spans.items():
        here, operation = done[key], span.get("operation", 0)
        if not (operation or span.get("agent") or span.get("target")):
            continue
        agent = here["agent"]
        is_work = operation not in (AgentOperation.NONE, AgentOperation.CHAIN, AgentOperation.INVOKE_WORKFLOW)
        service = str(span.get("service", ""))
        if not agent and is_work and not service.startswith("unknown_service"):
            agent = service
        account.settled[key] = (agent, here["version"], here["team"], here["workflow"], here["conversation"],
                                here["caller"])  # fmt: skip
        tokens = span.get("input_tokens", -1)
        if operation in INFERENCE:
            account.calls[agent] += key not in inner
            counts = key not in inner or not inner[key]
        else:
            counts = key not in told_below
        if tokens >= 0 and counts:
            account.used[agent] += tokens
            if here["pair"]:
                account.edge_tokens[here["pair"][:2]] += tokens
    return account


def _roots(spans: dict[str, dict]) -> set[str]:
    """Spans that have no parent among the others, or are the least of a circle."""
    roots = {key for key, span in spans.items() if span.get("parent", "") not in spans or span["parent"] == key}
    for key in spans:
        seen = [key]
        while seen[-1] not in roots:
            parent = str(spans[seen[-1]]["parent"])
            if parent in seen:
                roots.add(min(seen[seen.index(parent) :], key=key_of))
                break
            seen.append(parent)
    return roots


def _resolved(span: dict, above: dict | None, account: Account) -> dict:
    above = above or {"agent": "", "version": "", "team": "", "workflow": "", "conversation": "", "caller": "",
                      "pair": None, "via": "", "to_target": False}  # fmt: skip
    own, source, target = span.get("agent", ""), span.get("source", ""), span.get("target", "")
    if not (own or target or span.get("operation", 0)):
        source = ""  # a plain span, that only hands on what others say
    agent = own or source or above["agent"]
    shares = agent == above["agent"] or not above["agent"]
    here = {
        "agent": agent,
        "version": span.get("agent_version", "") or (above["version"] if shares else ""),
        "team": span.get("team", "") or (above["team"] if shares else ""),
        "workflow": span.get("workflow", "") or above["workflow"],
        "conversation": span.get("conversation", "") or above["conversation"],
        "caller": above["caller"] if agent == above["agent"] else above["agent"],
        "pair": above["pair"],
        "to_target": above["to_target"],
    }
    source = source or (agent if target else "")
    is_explicit = bool(target and source and source != target)
    is_entry = bool(own and above["agent"] and above["agent"] != own)
    here["via"] = _via(above["via"], span)
    if above["to_target"] and own and above["pair"][1] == own:
        here["to_target"] = False
    elif is_entry and not (is_explicit and target == own):
        here["pair"] = (above["agent"], own, here["via"] or "call")
        here["to_target"] = False
        account.edges[here["pair"]] += 1
    served = span.get("kind", 0) in (SpanKind.SERVER, SpanKind.CONSUMER)
    here["via"] = "" if is_entry else _via(above["via"], span | ({"channel": 0} if served else {}))
    if is_explicit and (here["pair"] or ())[:2] != (source, target):
        kind = {0: "call", 1: "call", 2: "link", 7: "tool", 8: "conversation"} | PROTOCOLS
        named = kind[span.get("channel", 0)]
        if not span.get("channel") and span.get("operation") == AgentOperation.EXECUTE_TOOL:
            named = "tool"
        here["pair"] = (source, target, named)
        here["to_target"] = target != agent
        account.edges[here["pair"]] += 1
    return here


def _via(before: str, span: dict) -> str:
    if span.get("channel", 0) in PROTOCOLS:
        return PROTOCOLS[span["channel"]]
    return "tool" if not before and span.get("operation") == AgentOperation.EXECUTE_TOOL else before


def _told_below(spans: dict[str, dict], roots: set[str]) -> set[str]:
    told = set()
    for key, span in spans.items():
        at = key
        while span.get("input_tokens", -1) >= 0 and at not in roots:
            at = str(spans[at]["parent"])
            told.add(at)
    return told


def _inner(spans: dict[str, dict], done: dict[str, dict], roots: set[str]) -> dict[str, bool]:
    """Calls of models that a span below tells as well, and whether that one tells tokens."""
    inner: dict[str, bool] = {}
    for key, span in spans.items():
        if span.get("operation") not in INFERENCE:
            continue
        at = key
        while True:
            parent = str(spans[at].get("parent", ""))
            if at in roots:
                break
            if spans[at].get("agent") and done[parent]["agent"] not in ("", done[at]["agent"]):
                break
            at = parent
            operation = spans[at].get("operation", 0)
            if operation in BOUNDARIES:
                break
            if operation in INFERENCE:
                models = {span.get("model", ""), spans[at].get("model", "")} - {""}
                kinds = {span["operation"] == AgentOperation.EMBEDDINGS, operation == AgentOperation.EMBEDDINGS}
                if len(models) > 1 or len(kinds) > 1:
                    break
                inner[at] = inner.get(at, False) or span.get("input_tokens", -1) >= 0
    return inner
