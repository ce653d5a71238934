"""`scurry emulate`: the managed service on this machine."""

import os
import signal
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scurry.cli.failure import Usage
from scurry.cli.session import Session, command, new_app

if TYPE_CHECKING:
    from scurry.emulator.endpoint import Emulator, Settings
    from scurry.emulator.scaling import Rule

app = new_app("emulate", "Services that are not on this machine, emulated with a real Flink.")

State = Annotated[
    Path | None,
    typer.Option("--state", metavar="DIR", help="Where it keeps its applications; without it, .scurry/emulator."),
]
Ephemeral = Annotated[bool, typer.Option("--ephemeral", help="Keep nothing.")]
Port = Annotated[int, typer.Option("--port", metavar="N", min=0, max=65535, help="Of the endpoint; 0: a free one.")]
Scale = Annotated[
    float,
    typer.Option(
        "--scale", metavar="X", min=0.05, max=4, help="Part of a KPU's memory (4 GiB) that each TaskManager gets here."
    ),
]
Kpus = Annotated[int, typer.Option("--kpus", metavar="N", min=1, help="Quota of KPUs of an application.")]
Snapshots = Annotated[int, typer.Option("--snapshots", metavar="N", min=1, help="Quota of snapshots.")]
Applications = Annotated[int, typer.Option("--applications", metavar="N", min=1, help="Quota of applications.")]
CodeSize = Annotated[int, typer.Option("--code-size", metavar="MIB", min=1, help="Quota of an application's code.")]
MetricsEvery = Annotated[
    float,
    typer.Option("--metrics-every", metavar="S", min=0.5, help="Seconds between two samples of CloudWatch metrics."),
]
Autoscale = Annotated[
    str | None,
    typer.Option(
        "--autoscale",
        metavar="UP,DOWN",
        help="Seconds of CPU load from 75 % on after which a parallelism doubles, and of under 10 % after which it "
        "halves, where an application lets it; the service's: 900,21600. Without it, never.",
    ),
]
Environment = Annotated[bool, typer.Option("--env", help="Only write what a shell needs for the endpoint on --port.")]
Arguments = Annotated[
    list[str] | None, typer.Argument(metavar="[-- CMD…]", help="Run a command inside, and stop when it ends.")
]

DEFAULT_PORT = 4566


@app.command("msf")
@command(is_server=True, here="this starts an emulator, on this machine")
def msf(  # noqa: PLR0913, PLR0917 - each is an option of the command
    session: Session,
    arguments: Arguments = None,
    state: State = None,
    ephemeral: Ephemeral = False,
    port: Port = DEFAULT_PORT,
    scale: Scale = 0.25,
    kpus: Kpus = 64,
    snapshots: Snapshots = 1000,
    applications: Applications = 100,
    code_size: CodeSize = 512,
    metrics_every: MetricsEvery = 5,
    autoscale: Autoscale = None,
    environment: Environment = False,
) -> int:
    """Amazon Managed Service for Apache Flink: its API, and a real Flink for each application.

    boto3, the AWS CLI and Terraform work with it unchanged. S3, IAM, STS, CloudWatch and Secrets Manager are moto's, on
    the same endpoint. Without a command it serves until Ctrl-C; what ran then runs again when its state is served next.
    """
    from tempfile import TemporaryDirectory

    from scurry.emulator.endpoint import Settings, environment_of
    from scurry.emulator.lifecycle import Limits

    if environment:
        session.say("\n".join(f"export {name}={value}" for name, value in environment_of(port).items()))
        return 0
    if state and ephemeral:
        raise Usage("--state keeps what --ephemeral does not")
    with TemporaryDirectory(prefix="scurry-emulator-") as nowhere:
        folder = Path(nowhere) if ephemeral else state or session.workspace.assembly.directory / "emulator"
        limits = Limits(kpus=kpus, snapshots=snapshots, applications=applications, code_bytes=code_size << 20)
        settings = Settings(
            directory=folder.absolute(),
            port=0 if arguments else port,
            scale=scale,
            limits=limits,
            metrics_s=metrics_every,
            keeps_others=not ephemeral,
            autoscale=_rule(autoscale) if autoscale else None,
        )
        return _served(session, settings, arguments)


def _rule(text: str) -> "Rule":
    from scurry.emulator.scaling import Rule

    up, _, down = text.partition(",")
    try:
        return Rule(up_s=float(up), down_s=float(down))
    except ValueError as error:
        raise Usage(f"--autoscale is two numbers of seconds, as 60,600; not {text!r}") from error


def _served(session: Session, settings: "Settings", arguments: list[str] | None) -> int:
    from scurry.emulator.endpoint import Emulator

    emulator = Emulator(settings, session.workspace.runtimes, session.reporter)
    with emulator.serving():
        if arguments:
            return _inside(emulator, arguments)
        session.say(
            f"Amazon Managed Service for Apache Flink, emulated at {emulator.url}\n"
            f"  state in {settings.directory}; {settings.scale:g} of a KPU's memory for each TaskManager\n"
            f'  for a shell:  eval "$(scurry emulate msf --env --port {emulator.port})"\n'
            "Ctrl-C stops it."
        )
        _until_told()
    return 0


def _inside(emulator: "Emulator", arguments: list[str]) -> int:
    try:
        return subprocess.run(arguments, env={**os.environ, **emulator.environment}, check=False).returncode
    except OSError as error:
        raise Usage(f"{arguments[0]!r} cannot be run: {error.strerror}") from error


def _until_told() -> None:
    """Wait for SIGINT or SIGTERM, whichever thread takes it (as `serve` does)."""
    waked, ours = socket.socketpair()
    ours.setblocking(False)
    signal.set_wakeup_fd(ours.fileno())
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    waked.recv(1)
