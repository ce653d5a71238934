"""`scurry init`: writes a project that runs as it is, and never over a file that is there."""

from pathlib import Path
from typing import Annotated

import typer

from scurry.cli.session import Session, command, new_app

app = new_app()

PROJECT = """\
# The project: the places that its applications run on. Everything here has a default.
name: {name}
target: local
targets:
  local: {{kind: local}}            # Flink on this machine: installed, started and looked after by scurry
  # cluster: {{kind: rest, url: "http://flink.example.com:8081"}}
"""

APPLICATION = """\
# The application. To see what `apply` would do with it: scurry plan application.yaml
name: {name}
flink: "2.3"
code: {{sql: orders.sql}}
parallelism: 1
config: {{execution.checkpointing.interval: 5s}}
variables:
  orders_per_second: 20
  output: output            # a folder beside this file
"""

SQL = """\
-- Orders that a generator makes up, counted and summed by customer every ten seconds.
CREATE TABLE orders (
  customer INT,
  amount DOUBLE,
  ordered_at TIMESTAMP_LTZ(3),
  WATERMARK FOR ordered_at AS ordered_at
) WITH (
  'connector' = 'datagen',
  'rows-per-second' = '{{ orders_per_second }}',
  'fields.customer.min' = '1',
  'fields.customer.max' = '5',
  'fields.amount.min' = '1',
  'fields.amount.max' = '100'
);

CREATE TABLE totals (
  window_start TIMESTAMP(3),
  customer INT,
  orders BIGINT,
  amount DOUBLE
) WITH (
  'connector' = 'filesystem',
  'path' = '{{ output }}',
  'format' = 'csv'
);

INSERT INTO totals
SELECT window_start, customer, COUNT(*), SUM(amount)
FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(ordered_at), INTERVAL '10' SECOND))
GROUP BY window_start, window_end, customer;
"""

IGNORED = """\
.scurry/
output/
"""


@app.command()
@command(in_project=False, here="the files of a project are written on this machine")
def init(
    session: Session,
    directory: Annotated[Path, typer.Argument(metavar="[DIR]", help="Where; made if it is not there.")] = Path(),
) -> None:
    """Write a project that runs as it is: an SQL job, its spec, and the project file. Overwrites nothing."""
    folder = directory.absolute()
    written, kept = _write(folder, _files(folder))
    commands = _next(directory)
    session.answer(
        "init",
        {"directory": str(folder), "written": written, "kept": kept, "next": commands},
        lambda: "\n".join(_lines(written, kept, commands)),
    )


def _files(folder: Path) -> dict[str, str]:
    import json
    import re

    # A folder may be called anything; an application's name is letters, digits and `.-_`.
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", folder.name).strip("-._") or "orders"
    return {
        "scurry.yaml": PROJECT.format(name=json.dumps(folder.name)),
        "application.yaml": APPLICATION.format(name=json.dumps(name)),
        "orders.sql": SQL,
        ".gitignore": IGNORED,
    }


def _write(folder: Path, files: dict[str, str]) -> tuple[list[str], list[str]]:
    """Write what is not there. Raises `WorkspaceError` when it cannot be written."""
    from scurry.model.errors import WorkspaceError

    written, kept = [], []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            try:
                with (folder / name).open("x", encoding="utf-8") as file:
                    file.write(text)
                written.append(name)
            except FileExistsError:
                kept.append(name)
    except OSError as error:
        raise WorkspaceError(f"a project cannot be written to {str(folder)!r}: {error.strerror}") from error
    return written, kept


def _next(directory: Path) -> list[str]:
    import shlex

    enter = [] if directory == Path() else [f"cd {shlex.quote(str(directory))}"]
    return [*enter, "scurry plan application.yaml", "scurry apply application.yaml"]


def _lines(written: list[str], kept: list[str], commands: list[str]) -> list[str]:
    lines = [f"✓ {name}" for name in written]
    lines += [f"  {name} is there already; it was left as it is" for name in kept]
    if ".gitignore" in kept:
        lines.append("  Keep .scurry/ out of version control: add it to .gitignore.")
    return [*lines, "To run it:", *(f"  {command}" for command in commands)]
