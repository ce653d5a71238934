"""`scurry schema`: the JSON Schemas of the two files, for editors and other tools."""

import sys
from enum import StrEnum
from typing import Annotated

import typer

from scurry.cli.session import new_app

app = new_app()


class File(StrEnum):
    """The files that people write."""

    APPLICATION = "application"
    PROJECT = "project"


@app.command()
def schema(
    file: Annotated[File, typer.Argument(help="Of which file: application.yaml or scurry.yaml.")] = File.APPLICATION,
) -> None:
    """Write the JSON Schema of a file, from which editors complete and check."""
    import json

    sys.stdout.write(json.dumps(json_schema(file), indent=2) + "\n")


def json_schema(file: File) -> dict[str, object]:
    """Return the schema of a file."""
    from scurry.spec import schema

    match file:
        case File.APPLICATION:
            return schema.application_schema()
        case File.PROJECT:
            return schema.project_schema()
