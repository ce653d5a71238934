"""`scurry size`: what a parallelism becomes, and what it costs."""

from pathlib import Path
from typing import Annotated

import typer

from scurry.cli import options
from scurry.cli.exit_codes import DONE
from scurry.cli.failure import Usage
from scurry.cli.session import Session, command, new_app

app = new_app()


def _memory(text: str) -> int:
    from scurry.model.flink_memory import parse_memory

    try:
        return parse_memory(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


Spec = Annotated[Path | None, typer.Argument(metavar="[FILE]", help="Spec of the application.", readable=False)]
On = Annotated[
    list[str] | None,
    typer.Option(
        "--on",
        metavar="PLACE",
        help="`managed` (the service's KPUs), a local target, an EC2 instance type such as m7g.xlarge, or "
        "`task-managers` as --slots and --config say; several. Without it, managed and the application's target.",
    ),
]
Parallelism = Annotated[
    int | None, typer.Option("--parallelism", metavar="N", min=1, max=32768, help="Instead of the spec's.")
]
PerKpu = Annotated[
    int | None, typer.Option("--per-kpu", metavar="N", min=1, max=8, help="ParallelismPerKPU; without it, 1.")
]
Heap = Annotated[
    int | None,
    typer.Option(
        "--heap-per-slot",
        metavar="SIZE",
        parser=_memory,
        help="Choose the cheapest that leaves a slot so much heap.",
    ),
]
Slots = Annotated[
    int | None, typer.Option("--slots", metavar="N", min=1, help="Of each TaskManager; on EC2, else one per processor.")
]
Config = Annotated[
    list[str] | None, typer.Option("--config", metavar="KEY=VALUE", help="A Flink option of the TaskManagers; several.")
]
Python = Annotated[bool, typer.Option("--python", help="It has Python workers; a spec says so itself.")]
Region = Annotated[str, typer.Option("--region", metavar="NAME", help="AWS region of the price.")]
KpuHour = Annotated[
    float | None,
    typer.Option("--kpu-hour", metavar="USD", min=0, help="Price of a KPU for an hour, if it is another."),
]
RefreshPrices = Annotated[
    bool, typer.Option("--refresh-prices", help="Ask AWS's price list first, for all regions, and remember it.")
]


@app.command()
@command(here="sizes are worked out on this machine, from the project's files")
def size(  # noqa: PLR0913, PLR0917 - each is an option of the command
    session: Session,
    file: Spec = None,
    environment: options.Environment = None,
    on: On = None,
    parallelism: Parallelism = None,
    per_kpu: PerKpu = None,
    heap_per_slot: Heap = None,
    slots: Slots = None,
    config: Config = None,
    python: Python = False,
    region: Region = "us-east-1",
    kpu_hour: KpuHour = None,
    refresh_prices: RefreshPrices = False,
) -> int:
    """Say what a parallelism becomes: TaskManagers, slots, processors, memory for each slot, and money.

    Changes nothing, and asks nobody but, if you want it, AWS for its prices. Memory is divided as Flink divides it.
    """
    from scurry import prices
    from scurry.cli import views_size
    from scurry.sizing import SizeWanted, sized

    if per_kpu is not None and heap_per_slot is not None:
        raise Usage("--per-kpu is a choice, and --heap-per-slot asks for one")
    if refresh_prices:
        with session.reporter.activity("Asking AWS's price list"):
            prices.refresh()
    wanted = SizeWanted(
        places=tuple(on or ()),
        parallelism=parallelism,
        per_kpu=per_kpu,
        heap_per_slot=heap_per_slot,
        slots=slots,
        config=dict(map(options.flink_option, config or ())),
        python=python,
        region=region,
        kpu_hour=kpu_hour,
    )
    found = sized(session.workspace, file, environment, wanted)
    session.answer("size", views_size.document(found), lambda: views_size.text(found))
    return DONE
