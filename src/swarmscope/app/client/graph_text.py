"""The graph of interactions in the languages of Graphviz and Mermaid; names may hold anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from swarmscope.app.client.fleet_tables import plain, spell_count
from swarmscope.app.client.trace_tree import spell_duration

_BAD = ("degraded", "stalled", "looping", "deadlocked")
_INSIDE_WORDS = "._-"
Member = Mapping[str, Any]


def nodes_of(graph: Mapping[str, Any]) -> dict[str, Member]:
    """The nodes by id, those included that only an edge names."""
    nodes: dict[str, Member] = {str(node["id"]): node for node in graph.get("nodes", ())}
    for edge in graph.get("edges", ()):
        for side in ("source", "target"):
            nodes.setdefault(str(edge[side]), {"id": edge[side]})
    return nodes


def to_dot(graph: Mapping[str, Any]) -> str:
    """DOT: https://graphviz.org/doc/info/lang.html and https://graphviz.org/docs/attr-types/escString/."""
    nodes = nodes_of(graph)
    places = {name: f"n{index}" for index, name in enumerate(nodes)}
    lines = ["digraph agents {", "  rankdir=LR;", "  node [shape=box, style=rounded];"]
    for name, node in nodes.items():
        team = f"\\n{_quoted(node['team'])}" if node.get("team") else ""
        colour = ", color=red" if node.get("status") in _BAD else ""
        lines.append(f'  {places[name]} [label="{_quoted(name)}{team}"{colour}];')
    for edge in graph.get("edges", ()):
        ends = f"{places[str(edge['source'])]} -> {places[str(edge['target'])]}"
        label = "\\n".join(_quoted(words) for words in _words(edge))
        colour = ", color=red" if edge.get("errors") else ""
        lines.append(f'  {ends} [label="{label}"{colour}];')
    return "\n".join([*lines, "}"]) + "\n"


def to_mermaid(graph: Mapping[str, Any]) -> str:
    """Mermaid's flowchart: https://mermaid.js.org/syntax/flowchart.html."""
    nodes = nodes_of(graph)
    places = {name: f"n{index}" for index, name in enumerate(nodes)}
    lines = ["flowchart LR"]
    lines += [f'  {places[name]}["{_entities(name) or " "}"]' for name in nodes]
    failed = []
    for number, edge in enumerate(graph.get("edges", ())):
        label = " ".join(_entities(words) for words in _words(edge))
        lines.append(f'  {places[str(edge["source"])]} -->|"{label}"| {places[str(edge["target"])]}')
        if edge.get("errors"):
            failed.append(str(number))
    bad = [places[name] for name, node in nodes.items() if node.get("status") in _BAD]
    if failed:
        lines.append(f"  linkStyle {','.join(failed)} stroke:red")
    if bad:
        lines += ["  classDef trouble stroke:red", f"  class {','.join(bad)} trouble"]
    return "\n".join(lines) + "\n"


def _words(edge: Member) -> Sequence[str]:
    """What stands at an edge."""
    words = [f"{edge.get('type', '')} ×{spell_count(edge.get('count') or 0)}".strip()]
    if edge.get("errors"):
        words.append(f"{spell_count(edge['errors'])} failed")
    if edge.get("p90") is not None:
        words.append(f"p90 {spell_duration(round(edge['p90'] * 1e9))}")
    return words


def _quoted(words: object) -> str:
    r"""Inside a label's quotes: Graphviz reads `\N` and the like there, and entities of HTML."""
    return plain(words).replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;")


def _entities(words: object) -> str:
    """Inside a label's quotes: all but plain words as numbered entities, as labels are read as Markdown too."""
    text = plain(words)
    return "".join(
        letter if letter.isalnum() or letter == " " or _is_inside_word(text, place) else f"#{ord(letter)};"
        for place, letter in enumerate(text)
    )


def _is_inside_word(text: str, place: int) -> bool:
    around = text[place - 1 : place] + text[place + 1 : place + 2]
    return text[place] in _INSIDE_WORDS and len(around) == 2 and around.isalnum()
