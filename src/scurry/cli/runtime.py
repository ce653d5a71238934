"""Flink and Java on this machine: list, install, remove."""

from enum import StrEnum
from typing import Annotated

import typer

from scurry.cli.session import Session, command, new_app

HERE = "what is installed on this machine is seen to on it"

app = new_app("runtime", "Flink and Java on this machine.")


class Kind(StrEnum):
    """What can be installed."""

    FLINK = "flink"
    JAVA = "java"
    PYTHON = "python"


@app.command("list")
@command(here=HERE)
def list_(session: Session) -> None:
    """List what is installed in the cache, and what it weighs."""
    from scurry.cli import views_runtime

    runtimes = session.workspace.runtimes
    found = runtimes.installed()
    session.answer(
        "runtimes",
        {"cache": str(runtimes.cache), "runtimes": [views_runtime.document(entry) for entry in found]},
        lambda: views_runtime.table(runtimes.cache, found),
    )


@app.command()
@command(here=HERE)
def install(
    session: Session,
    versions: Annotated[list[str], typer.Argument(metavar="VERSION", help="Flink versions: 2.3 or 1.20.5.")],
) -> None:
    """Install Flink versions, and a Java that fits where the machine has none."""
    runtimes = session.workspace.runtimes
    installed: list[dict[str, object]] = []
    lines: list[str] = []
    for version in versions:
        flink = runtimes.flink(version)
        java = runtimes.java(flink.version)
        installed.append(
            {
                "version": flink.version,
                "home": str(flink.home),
                "source": flink.source,
                "java": {"major": java.major, "home": str(java.home), "source": java.source},
            }
        )
        lines.append(f"✓ Flink {flink.version} in {flink.home}, with Java {java.major} ({java.source})")
    session.answer("runtime-install", {"installed": installed}, lambda: "\n".join(lines))


@app.command()
@command(asks=True, here=HERE)
def remove(
    session: Session,
    version: Annotated[str, typer.Argument(metavar="VERSION", help="As `scurry runtime list` shows it.")],
    kind: Annotated[Kind, typer.Option("--kind", help="What to remove.")] = Kind.FLINK,
) -> None:
    """Delete an installed runtime from the cache. It is installed again when something needs it."""
    from scurry.cli import views

    session.agree(f"- {kind.value} {version} is deleted from {session.workspace.runtimes.cache}")
    freed = session.workspace.runtimes.remove(kind.value, version)
    session.answer(
        "runtime-remove",
        {"kind": kind.value, "version": version, "freed_bytes": freed},
        lambda: f"✓ removed {kind.value} {version}; {views.size(freed)} freed",
    )
