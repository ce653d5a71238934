"""Terraform as it is, with the AWS provider from a mirror on this machine; the provider is started once for many runs.

Starting the provider is most of what a run of Terraform costs. `-debug` has it serve several (`TF_REATTACH_PROVIDERS`),
as its developers do; what it does is the same.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PROVIDER = Path("registry.terraform.io") / "hashicorp" / "aws"
ROOTS = ("/opt", "/usr/local/share", "/usr/share", "/usr/lib", "/var/lib", "/srv", "~/.terraform.d", "~/.local/share")
MISSING = "needs terraform, and its AWS provider in a filesystem mirror"
_DEPTH = 3
_PATIENCE_S = 60.0


def mirror() -> Path | None:
    """Return a folder that holds Terraform's AWS provider, from the usual roots."""
    for root in ROOTS:
        level = [Path(root).expanduser()]
        for _ in range(_DEPTH):
            for folder in level:
                if (folder / PROVIDER).is_dir():
                    return folder
            level = [entry for folder in level for entry in _folders(folder)]
    return None


def is_installed() -> bool:
    """Whether Terraform and its provider are on this machine."""
    return shutil.which("terraform") is not None and mirror() is not None


def _folders(folder: Path) -> list[Path]:
    try:
        return [entry for entry in folder.iterdir() if entry.is_dir() and not entry.is_symlink()]
    except OSError:
        return []


def settings(folder: Path) -> dict[str, str]:
    """Write Terraform's own settings into a folder, and return the environment that names them."""
    file = folder / "terraform.rc"
    installation = f'provider_installation {{\n  filesystem_mirror {{\n    path = "{mirror()}"\n  }}\n}}\n'
    file.write_text(f"{installation}disable_checkpoint = true\n")
    return {"TF_CLI_CONFIG_FILE": str(file), "TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1"}


@contextmanager
def provider(folder: Path, environment: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Run the provider for the time of the block; yield the environment in which Terraform uses it."""
    found = mirror()
    assert found
    (binary,) = sorted((found / PROVIDER).glob("*/linux_amd64/terraform-provider-aws_*"))[-1:]
    # Its client of an own bundle of certificates is refused by the second run; the emulator has no certificate.
    plain = {name: value for name, value in {**os.environ, **environment}.items() if name != "AWS_CA_BUNDLE"}
    said = folder / "provider.txt"
    with said.open("wb") as output:
        process = subprocess.Popen([binary, "-debug"], env=plain, stdout=output, stderr=subprocess.DEVNULL)
    try:
        yield {**settings(folder), "TF_REATTACH_PROVIDERS": _told(said, process)}
    finally:
        process.terminate()
        process.wait()


def _told(said: Path, process: subprocess.Popen[bytes]) -> str:
    until = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until:
        if found := re.search(r"TF_REATTACH_PROVIDERS='(.*)'", said.read_text()):
            return found[1]
        assert process.poll() is None, "the provider ended"
        time.sleep(0.05)
    raise AssertionError("the provider does not say where it is")


@dataclass(frozen=True, slots=True, kw_only=True)
class Terraform:
    """A working directory of Terraform."""

    folder: Path
    environment: Mapping[str, str]
    """of Terraform: what tells it from the test's own"""

    def attempt(self, *arguments: str, **variables: object) -> subprocess.CompletedProcess[str]:
        """Run a command, with variables."""
        given = [f"-var={name}={_written(value)}" for name, value in variables.items()]
        environment = {name: value for name, value in os.environ.items() if name != "AWS_CA_BUNDLE"}
        return subprocess.run(
            ["terraform", *arguments, *given],
            cwd=self.folder,
            env={**environment, **self.environment},
            capture_output=True,
            text=True,
            check=False,
        )

    def run(self, *arguments: str, **variables: object) -> str:
        """Run a command; it has to succeed."""
        done = self.attempt(*arguments, **variables)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def init(self) -> None:
        """Make the folder ready."""
        self.run("init", "-input=false", "-no-color")

    def apply(self, **variables: object) -> None:
        """Apply; the plan after it is clean."""
        self.run("apply", "-auto-approve", "-input=false", "-no-color", **variables)
        self.run("plan", "-detailed-exitcode", "-input=false", "-no-color", **variables)

    def destroy(self, **variables: object) -> None:
        """Destroy all of it."""
        self.run("destroy", "-auto-approve", "-input=false", "-no-color", **variables)

    def outputs(self) -> dict[str, object]:
        """Return the values of the outputs."""
        return {name: each["value"] for name, each in json.loads(self.run("output", "-json")).items()}


def _written(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
