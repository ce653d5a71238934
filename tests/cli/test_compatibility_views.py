"""How the verdict on state is shown: to people, to programs, and as a picture."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator

import pytest

from scurry.cli import views_compatibility
from scurry.cli.graph_svg import draw
from scurry.cli.text import plain
from scurry.engine.compatibility import Circumstances, judge
from scurry.model.compatibility import Compatibility, Fit
from scurry.model.state import State, StateKind
from tests.engine.state_of import LONG, STRING, held, id_of, pojo, program, simple, snapshot, value, wanted

SVG = "{http://www.w3.org/2000/svg}"
SPLITS = State(name="SourceReaderState", kind=StateKind.OPERATOR_LIST, type=simple("Bytes"))
LONG_NAME = "Totals per customer and day, kept for ever and ever"


def shop(*, allowed: bool | tuple[str, ...] = ()) -> Compatibility:
    """A shop of which all kinds of things become: kept, rewritten, blocked, moved, dropped, new."""
    orders, customers = wanted("orders", SPLITS, key=None), wanted("customers", SPLITS, key=None)
    joined = wanted("join", value("left", pojo("Order", a=LONG, b=STRING)), inputs=(orders.id, customers.id))
    counts = wanted("counts", value("count", STRING), inputs=(joined.id,))
    totals = wanted("totals-v2", value("total"), name=LONG_NAME, inputs=(joined.id,))
    sink = wanted("sink", inputs=(counts.id, totals.id))
    before = program(
        wanted("orders"),
        wanted("customers"),
        wanted("join", inputs=(orders.id, customers.id)),
        wanted("counts", inputs=(joined.id,)),
        wanted("totals", inputs=(joined.id,)),
        wanted("a & <b>", inputs=(counts.id,)),
        wanted("sink", inputs=(counts.id, id_of("totals"))),
    )
    old = snapshot(
        held("sink", bytes=0),
        held("orders", SPLITS, bytes=230, key=None),
        held("customers", SPLITS, bytes=240, key=None),
        held("join", value("left", pojo("Order", a=LONG)), bytes=5_300_000),
        held("counts", value("count"), bytes=1_234_567),
        held("totals", value("total"), bytes=88_000_000, name=LONG_NAME),
        held("a & <b>", value("z"), bytes=4096),
    )
    new = program(orders, customers, joined, counts, totals, sink, wanted("alerts", value("x"), uid=None))
    given = Circumstances(before=before, changed_classes=frozenset())
    return judge(old, new, allowed=allowed, given=given)


def told(found: Compatibility, *, whole: bool = False) -> str:
    return plain(views_compatibility.text(found, whole=whole))


# For people ----------------------------------------------------------------------------------------------------


def test_all_that_stands_against_it_is_told_with_the_remedy() -> None:
    text = told(shop(allowed=("a & <b>",)))
    assert text.startswith("✗ State does NOT fit; 88.0 MB would be lost (savepoint-1)")
    for line in (
        '✗ Counts: state "count": Long becomes String',
        f"✗ {LONG_NAME}: its id changed",
        '.uid("totals")',
        'allow_non_restored_state: ["totals"]',
        'Join, "left": migratable: field b added, empty at first',
        "! A & <B>: 4.1 kB of state is dropped, as allowed",
        "warning: Alerts: It has state and no uid",
        "and 1 operator without state",
    ):
        assert line in text, line


def test_the_table_has_a_row_for_each_operator_with_state() -> None:
    rows = [
        line.split() for line in told(shop()).splitlines() if re.search(r"\b(kept|moved|blocked|dropped|new)\b", line)
    ]
    verdicts = {row[0]: row for row in rows if row[0][0].isupper()}
    assert {"Orders", "Customers", "Join", "Counts", "Totals", "Alerts"} <= verdicts.keys()


def test_what_fits_is_a_line_unless_the_whole_is_wanted() -> None:
    found = judge(snapshot(held("counts", value("count"))), program(wanted("counts", value("count"))))
    assert told(found) == "✓ State fits: 1 operator takes over 100 B (savepoint-1)"
    assert "OPERATOR" in told(found, whole=True)


def test_what_is_unknown_of_many_states_is_told_once() -> None:
    states = tuple(value(name) for name in "abc")
    new = wanted("counts", states=None, key=None, unknown_because="it was not opened")
    text = told(judge(snapshot(held("counts", *states)), program(new)))
    assert text.count("it was not opened") == 1
    assert '"a", "b", "c": unknown: it was not opened' in text


def test_remarks_of_the_whole_are_told() -> None:
    text = told(
        Compatibility.unknown("the store does not answer", remedy="Try again.\nLater.", location="s3://a/chk-1")
    )
    assert text.splitlines() == [
        "? It is not certain that the state fits (chk-1)",
        "  unknown: the store does not answer",
        "    Try again.",
        "    Later.",
    ]


def test_a_state_that_is_not_used_any_more_is_told_with_its_old_name() -> None:
    found = judge(snapshot(held("counts", value("count"))), program(wanted("counts", value("total"))))
    assert "under a new name" in told(found)
    assert 'give it its old name, "count"' in told(found)


def test_state_that_is_dropped_as_allowed_is_told_in_the_first_line() -> None:
    found = judge(
        snapshot(held("counts", value("count")), held("a", value("x"))), program(wanted("a", value("x"))), allowed=True
    )
    assert found.fit is Fit.DROPS
    assert told(found).startswith(
        "! State fits, and some is dropped, as allowed: 1 operator takes over 100 B; 100 B is dropped"
    )


# For programs --------------------------------------------------------------------------------------------------


def test_programs_get_all_of_it() -> None:
    document = views_compatibility.document(shop())
    assert document
    assert (document["fit"], document["lost_bytes"]) == (Fit.BLOCKED, 88_004_096)
    (counts,) = (operator for operator in document["operators"] if operator["uid"] == "counts")
    (state,) = counts["states"]
    assert (state["fate"], state["before"], state["after"]) == ("incompatible", "Long", "String")
    assert views_compatibility.document(None) is None


# As a picture --------------------------------------------------------------------------------------------------


def boxes(root: ET.Element) -> Iterator[tuple[float, float, float, float]]:
    for group in root.iter(f"{SVG}g"):
        box = group.find(f"{SVG}rect")
        assert box is not None
        yield (
            float(box.get("x", "")),
            float(box.get("y", "")),
            float(box.get("width", "")),
            float(box.get("height", "")),
        )


def test_the_picture_has_a_box_on_each_side_where_an_operator_is() -> None:
    root = ET.fromstring(draw(shop(), title="shop"))
    assert len(list(boxes(root))) == 7 + 7
    shown = ["".join(title.itertext()) for title in root.iter(f"{SVG}title")]
    for name in ("Orders", "Customers", "Join", "Counts", LONG_NAME, "A & <B>", "Sink", "Alerts"):
        assert any(text.startswith(name) for text in shown), name


def test_no_box_covers_another_and_all_is_inside_of_the_picture() -> None:
    root = ET.fromstring(draw(shop(), title="shop"))
    width, height = (float(part) for part in root.get("viewBox", "").split()[2:])
    found = list(boxes(root))
    for number, (x, y, wide, high) in enumerate(found):
        assert x >= 0
        assert y >= 0
        assert x + wide <= width
        assert y + high <= height
        for other in found[number + 1 :]:
            assert x + wide <= other[0] or other[0] + other[2] <= x or y + high <= other[1] or other[1] + other[3] <= y
    for text in root.iter(f"{SVG}text"):
        assert 0 <= float(text.get("x", "")) < width
        assert 0 <= float(text.get("y", "")) < height
    for path in root.iter(f"{SVG}path"):
        places = [float(number) for number in re.findall(r"(?<=[MHVCS ])\d+(?:\.\d+)?", path.get("d", ""))]
        assert all(0 <= place <= max(width, height) for place in places)


def test_state_that_is_lost_ends_on_the_way_and_what_flows_arrives() -> None:
    text = draw(shop(), title="shop")
    assert "88.0 MB would be lost" in text
    assert "4.1 kB would be lost" in text
    assert "1.2 MB cannot be read" in text
    assert "5.3 MB, rewritten" in text
    assert text.count("m 0 -14") == 3
    assert "4.1 kB dropped" in draw(shop(allowed=("a & <b>",)), title="shop")


def test_each_edge_of_both_graphs_is_drawn() -> None:
    found = shop()
    edges = sum(len(verdict.inputs) + len(verdict.inputs_before) for verdict in found.operators)
    text = draw(found, title="shop")
    tips = len(re.findall(r'd="M [\d.]+ [\d.]+ (?:l -4 -7 h 8 z|l 7 -4 v 8 z|l -7 -4 v 8 z)"', text))
    assert (edges, tips) == (13, 13)


def test_a_long_chain_with_edges_back_and_forth_keeps_inside() -> None:
    names = [f"step {number}" for number in range(40)]
    new = [
        wanted(name, value("x"), inputs=tuple(id_of(other) for other in names[:number][::3]))
        for number, name in enumerate(names)
    ]
    found = judge(snapshot(*(held(name, value("x")) for name in names)), program(*new))
    root = ET.fromstring(draw(found, title="long"))
    width = float(root.get("viewBox", "").split()[2])
    for path in root.iter(f"{SVG}path"):
        found_x = [float(pair) for pair in re.findall(r"[MCS] (\d+(?:\.\d+)?) ", path.get("d", ""))]
        assert all(0 <= x <= width for x in found_x)


@pytest.mark.parametrize("name", ["a\x00b", "<script>", "日本語 " * 20, "", "]]>", '"quoted"'])
def test_any_name_makes_a_picture(name: str) -> None:
    found = judge(snapshot(held("x", value("v"), name=name)), program(wanted("x", value("v"), name=name)))
    assert ET.fromstring(draw(found, title=name)).tag == f"{SVG}svg"


def test_an_unknown_state_and_no_state_have_looks_of_their_own() -> None:
    new = program(wanted("counts", states=None, key=None), wanted("map"))
    text = draw(judge(snapshot(held("counts", value("x")), held("map", bytes=0)), new), title="shop")
    assert "100 B, not certain" in text
    assert "no state" in text
