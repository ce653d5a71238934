"""What is wrong, for people and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scurry.cli.text import bold, paint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scurry.model.report import Diagnosis

SHOWN_LINES = 12
"""of an exception; --verbose shows all that Flink told"""


def document(diagnosis: Diagnosis) -> dict[str, Any]:
    """Return a diagnosis as programs read it."""
    return {
        "application": diagnosis.name,
        "target": diagnosis.target,
        "phase": diagnosis.phase,
        "well": diagnosis.is_well,
        "findings": diagnosis.findings,
    }


def text(diagnosis: Diagnosis, *, verbose: bool) -> str:
    """Return a diagnosis as people read it."""
    head = f"{bold(diagnosis.name)} on {diagnosis.target}, {diagnosis.phase.value}"
    if not diagnosis.findings:
        return f"{head}\n" + ("Nothing is wrong." if diagnosis.is_well else "It is not healthy.")
    if diagnosis.is_well:
        head += "\nNothing is wrong. Worth knowing:"
    return "\n".join([head, *_findings(diagnosis, verbose=verbose)])


def _findings(diagnosis: Diagnosis, *, verbose: bool) -> Iterator[str]:
    for number, finding in enumerate(diagnosis.findings, 1):
        code = paint(f" [{finding.code}]", "dim") if finding.code else ""
        yield f"{number}. {finding.what}{code}"
        yield from (f"     {paint('seen:', 'dim')} {line}" for line in finding.evidence if line)
        lines = (finding.detail or "").splitlines()
        kept = lines if verbose else lines[:SHOWN_LINES]
        if len(lines) > 1 and (verbose or finding.code is None):
            yield from (f"     {line}" for line in kept)
        if len(kept) < len(lines) and finding.code is None:
            yield f"     … {len(lines) - len(kept)} more lines; to see them, add --verbose"
        if finding.todo:
            yield from (f"   {line}" for line in finding.todo.split("\n"))
