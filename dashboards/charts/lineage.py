"""A lineage as a graph in the language of Graphviz, whose boxes are links."""

from html import escape
from urllib.parse import urlencode

from latentlaw.tracking.reading.lineage import Lineage, Node

from dashboards.charts.palette import GREY, PALETTE
from dashboards.wording import words
from dashboards.wording.escaping import shorten

_WIDEST = 34
_COLOURS = {"data": PALETTE[2], "run": PALETTE[0], "version": PALETTE[3]}
#: What each colour stands for.


def lineage_dot(lineage: Lineage, here: str, *, dark: bool) -> str:
    """Return the graph; boxes lead to pages of the app by relative links.

    Parameters
    ----------
    lineage
        Its nodes, and what was made of what.
    here
        Key of the node that was asked for, which has a thick border.
    dark
        Whether the page's ground is dark: Graphviz knows no themes.
    """
    ink = "#FAFAFA" if dark else "#202020"
    lines = [
        "digraph lineage {",
        '  graph [rankdir=LR, bgcolor="transparent", ranksep=0.35, nodesep=0.2];',
        f'  node [shape=box, style="rounded", fontname="sans-serif", fontsize=11, '
        f'fontcolor="{ink}", margin="0.14,0.07"];',
        f'  edge [color="{GREY}", arrowsize=0.6];',
    ]
    for node in lineage.nodes.values():
        title, detail = _text(node)
        width = 3 if node.key == here else 1.3
        lines.append(
            f"  {_quoted(node.key)} [label={_quoted(title, detail)}, penwidth={width}, "
            f'color="{_COLOURS[node.kind]}", URL={_quoted(node_link(node))}, target="_self", '
            f"tooltip={_quoted(node.key)}];"
        )
    lines += [f"  {_quoted(a)} -> {_quoted(b)};" for a, b in sorted(lineage.edges)]
    return "\n".join([*lines, "}"])


def node_link(node: Node) -> str:
    """Return where a node leads: a run or data to Runs, a version to Models."""
    if node.kind == "version":
        name, _, version = node.key.rpartition("/")
        return "models?" + urlencode({"model": name, "version": version})
    if node.kind == "run":
        return "?" + urlencode({"run": node.key})
    return "?" + urlencode({"data": node.key.rstrip("/").rpartition("/")[2]})


def _text(node: Node) -> tuple[str, str]:
    if node.kind != "run":
        return node.title, node.detail
    detail = words.family(node.detail)
    if node.status != "FINISHED":
        detail = ", ".join(part for part in (detail, words.status(node.status).lower()) if part)
    return words.stage(node.title), detail


def _quoted(*lines: str) -> str:
    """Write lines as one string of Graphviz, which reads entities as HTML does."""
    shown = [shorten(line, _WIDEST) if len(lines) > 1 else line for line in lines if line]
    escaped = [
        escape(line, quote=False).replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
        for line in shown
    ]
    return '"' + "\\n".join(escaped) + '"'
