"""The verdict as a picture: the old job and the new one side by side, the state that flows, the state that is lost.

Plain SVG, without a library. An operator that is on both sides has one row; edges run along the outer margins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from scurry.cli.views import size
from scurry.model.compatibility import Fit, OperatorFate, StateFate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scurry.model.compatibility import Compatibility, OperatorVerdict

_BOX_W, _BOX_H, _ROW_H = 270, 44, 66
_MARGIN, _GAP, _HEAD, _FOOT = 84, 210, 92, 58
_LEFT_X = _MARGIN
_RIGHT_X = _MARGIN + _BOX_W + _GAP
_WIDTH = _RIGHT_X + _BOX_W + _MARGIN
_LETTER_W = 7.1
"""of the font's 12 px, on average"""
_LANE_W = 9

_INK, _QUIET, _LINE = "#1f2933", "#52606d", "#9aa5b1"
_GOOD, _DOUBTFUL, _LOST, _NEW = "#1b7f3b", "#b7791f", "#c53030", "#2b6cb0"
_FILLS = {_GOOD: "#e8f6ec", _DOUBTFUL: "#fdf6e3", _LOST: "#fdecea", _NEW: "#e8f1fa", _LINE: "#f5f7fa"}
_TITLES = {
    Fit.FITS: ("State fits", _GOOD),
    Fit.DROPS: ("State fits, and some is dropped, as allowed", _DOUBTFUL),
    Fit.UNKNOWN: ("It is not certain that the state fits", _DOUBTFUL),
    Fit.BLOCKED: ("State does not fit", _LOST),
}
_LEGEND = (
    (_GOOD, "state is taken over"),
    (_DOUBTFUL, "rewritten, or not certain"),
    (_LOST, "state is lost, or cannot be read"),
    (_NEW, "new, starts empty"),
    (_LINE, "no state"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """A row: an operator on one side, or on both."""

    verdict: OperatorVerdict
    y: float

    @property
    def middle(self) -> float:
        return self.y + _BOX_H / 2


def draw(found: Compatibility, *, title: str) -> str:
    """Return the picture of a verdict: an SVG document, dark on light."""
    rows = [_Row(verdict=verdict, y=_HEAD + place * _ROW_H) for place, verdict in enumerate(found.operators)]
    height = _HEAD + len(rows) * _ROW_H + _FOOT
    parts = [*_head(found, title), *_edges(rows), *(part for row in rows for part in _row(row)), *_legend(height)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
        f'font-family="Helvetica, Arial, sans-serif" font-size="12">\n'
        f"<title>{_safe(title)}</title>\n"
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _head(found: Compatibility, title: str) -> Iterator[str]:
    word, colour = _TITLES[found.fit]
    lost = f": {size(found.lost)} would be lost" if found.fit is Fit.BLOCKED and found.lost else ""
    yield _text(_LEFT_X, 28, title, size_px=16, weight="bold")
    yield _text(_LEFT_X, 48, f"{word}{lost}", fill=colour, weight="bold")
    yield _text(_LEFT_X, 76, "in the snapshot", fill=_QUIET)
    yield _text(_RIGHT_X, 76, "in the new version", fill=_QUIET)


# Rows ----------------------------------------------------------------------------------------------------------


def _row(row: _Row) -> Iterator[str]:
    verdict, colour = row.verdict, _colour(row.verdict)
    if verdict.id is not None:
        told = size(verdict.bytes) if verdict.has_state else "no state"
        name = f"{verdict.uid or 'no uid'}  ·  {told}"
        yield from _box(_LEFT_X, row, name=verdict.name, under=name, colour=colour)
    if verdict.new_id is not None:
        dashed = verdict.fate is OperatorFate.MOVED
        right = _NEW if verdict.fate in {OperatorFate.NEW, OperatorFate.MOVED} else colour
        under = f"{verdict.new_uid or 'no uid'}  ·  {_promise(verdict)}"
        yield from _box(_RIGHT_X, row, name=verdict.name, under=under, colour=right, dashed=dashed)
    yield from _flow(row, colour)


def _promise(verdict: OperatorVerdict) -> str:
    if verdict.fate is OperatorFate.MOVED or (verdict.fate is OperatorFate.NEW and verdict.states):
        return "starts empty"
    return verdict.fate.value


def _colour(verdict: OperatorVerdict) -> str:
    if verdict.is_blocked or verdict.loses_state:
        return _LOST
    if verdict.fate is OperatorFate.NEW:
        return _NEW
    if verdict.is_unknown or any(state.fate in {StateFate.MIGRATABLE, StateFate.UNUSED} for state in verdict.states):
        return _DOUBTFUL
    return _GOOD if verdict.has_state else _LINE


def _box(x: float, row: _Row, *, name: str, under: str, colour: str, dashed: bool = False) -> Iterator[str]:
    dash = ' stroke-dasharray="5 3"' if dashed else ""
    whole = f"{name} · {under}" + (f" · {row.verdict.reason}" if row.verdict.reason else "")
    yield (
        f'<g class="operator"><title>{_safe(whole)}</title>'
        f'<rect x="{x}" y="{row.y:g}" width="{_BOX_W}" height="{_BOX_H}" rx="5" fill="{_FILLS[colour]}" '
        f'stroke="{colour}" stroke-width="1.5"{dash}/>'
        + _text(x + 10, row.y + 18, _cut(name), weight="bold")
        + _text(x + 10, row.y + 35, _cut(under), fill=_QUIET, size_px=11)
        + "</g>"
    )


def _flow(row: _Row, colour: str) -> Iterator[str]:
    """Draw what becomes of the state between the two sides: an arrow over, or one that ends on the way."""
    verdict = row.verdict
    if not verdict.has_state:
        if verdict.id is not None and verdict.new_id is not None:
            yield _path(f"M {_LEFT_X + _BOX_W} {row.middle:g} H {_RIGHT_X}", _LINE, width=1, dash="2 4")
        return
    start, end = _LEFT_X + _BOX_W, _RIGHT_X
    width = 2.5
    if verdict.is_blocked or verdict.loses_state:
        stop = start + _GAP * 0.78
        yield _path(f"M {start} {row.middle:g} H {stop:g}", colour, width=width, dash="6 4")
        yield _path(
            f"M {stop:g} {row.middle - 7:g} l 14 14 m 0 -14 l -14 14", colour, width=width
        )  # a cross: it ends here
    else:
        yield _path(f"M {start} {row.middle:g} H {end - 8}", colour, width=width)
        yield f'<path d="M {end} {row.middle:g} l -10 -5 v 10 z" fill="{colour}"/>'
    yield _text(start + 12, row.middle - 8, _label(verdict), fill=colour, size_px=11)


def _label(verdict: OperatorVerdict) -> str:
    amount = size(verdict.bytes)
    if verdict.loses_state:
        return f"{amount} dropped" if verdict.allowed else f"{amount} would be lost"
    if verdict.is_blocked:
        return f"{amount} cannot be read"
    if verdict.is_unknown:
        return f"{amount}, not certain"
    if any(state.fate is StateFate.MIGRATABLE for state in verdict.states):
        return f"{amount}, rewritten"
    return amount


# Edges ---------------------------------------------------------------------------------------------------------


def _edges(rows: list[_Row]) -> Iterator[str]:
    before = {row.verdict.id: row for row in rows if row.verdict.id is not None}
    after = {row.verdict.new_id: row for row in rows if row.verdict.new_id is not None}
    old = [(before[id], row) for row in rows for id in row.verdict.inputs_before if id in before]
    new = [(after[id], row) for row in rows for id in row.verdict.inputs if id in after]
    yield from _side(old, list(before.values()), x=_LEFT_X, outward=-1)
    yield from _side(new, list(after.values()), x=_RIGHT_X, outward=1)


def _side(edges: list[tuple[_Row, _Row]], boxes: list[_Row], *, x: float, outward: int) -> Iterator[str]:
    """Draw the edges of a side: straight down where nothing is between, else around, each in a lane of its own."""
    lanes: list[list[tuple[float, float]]] = []
    for source, target in sorted(edges, key=lambda edge: abs(edge[1].y - edge[0].y)):
        low, high = sorted((source.y, target.y))
        if source.y < target.y and not any(low < box.y < high for box in boxes):
            middle = x + _BOX_W / 2
            yield _path(f"M {middle:g} {source.y + _BOX_H:g} V {target.y - 6:g}", _LINE)
            yield _tip(middle, target.y, "down")
            continue
        free = (number for number, lane in enumerate(lanes) if all(high <= a or b <= low for a, b in lane))
        number = next(free, len(lanes))
        if number == len(lanes):
            lanes.append([])
        lanes[number].append((low, high))
        yield from _around(source, target, x=x, outward=outward, lane=number)


def _around(source: _Row, target: _Row, *, x: float, outward: int, lane: int) -> Iterator[str]:
    side = x if outward < 0 else x + _BOX_W
    far = side + outward * min(18 + _LANE_W * lane, _MARGIN - 8)
    up, down = source.middle + 6, target.middle - 6
    curve = f"M {side:g} {up:g} C {far:g} {up:g} {far:g} {up:g} {far:g} {(up + down) / 2:g} "
    curve += f"S {far:g} {down:g} {side + outward * 6:g} {down:g}"
    yield _path(curve, _LINE)
    yield _tip(side, down, "left" if outward > 0 else "right")


def _tip(x: float, y: float, towards: str) -> str:
    shapes = {"down": "l -4 -7 h 8 z", "left": "l 7 -4 v 8 z", "right": "l -7 -4 v 8 z"}
    return f'<path d="M {x:g} {y:g} {shapes[towards]}" fill="{_LINE}"/>'


# Marks ---------------------------------------------------------------------------------------------------------


def _legend(height: float) -> Iterator[str]:
    x = float(_LEFT_X)
    for colour, told in _LEGEND:
        yield (
            f'<rect x="{x:g}" y="{height - 34:g}" width="14" height="14" rx="3" fill="{_FILLS[colour]}" '
            f'stroke="{colour}" stroke-width="1.5"/>'
        )
        yield _text(x + 20, height - 23, told, fill=_QUIET, size_px=11)
        x += 40 + len(told) * 5.7


def _path(d: str, colour: str, *, width: float = 1.5, dash: str | None = None) -> str:
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<path d="{d}" fill="none" stroke="{colour}" stroke-width="{width:g}"{dashed}/>'


def _text(x: float, y: float, text: str, *, fill: str = _INK, size_px: int = 12, weight: str = "normal") -> str:
    bold = ' font-weight="bold"' if weight == "bold" else ""
    return f'<text x="{x:g}" y="{y:g}" font-size="{size_px}" fill="{fill}"{bold}>{_safe(text)}</text>'


def _cut(text: str) -> str:
    """Shorten a text to the width of a box; the whole is in the box's title."""
    most = int((_BOX_W - 20) / _LETTER_W)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _safe(text: str) -> str:
    """Return a text as it may stand in XML, which has no place for control characters."""
    return escape("".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text))
