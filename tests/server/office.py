"""Another desk than the server's: a checkout of the project, and commands run there against the server."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest.mock import patch

from scurry.cli.main import main
from tests.server.site import SPEC, Running, Site

TOKEN = "open sesame"


class Office:
    """A checkout of the project on another desk: no journal, no artifacts, nothing but the files and a server's URL."""

    def __init__(self, folder: Path, site: Site, server: Running) -> None:
        self.folder = folder
        self.site = site
        self.server = server
        self.url = server.address()
        folder.mkdir()
        shutil.copy(site.folder / "scurry.yaml", folder)
        shutil.copy(site.folder / "shop.jar", folder)
        self.write()

    def write(self, more: str = "", name: str = "shop") -> Path:
        path = self.folder / f"{name}.yaml"
        path.write_text(SPEC.replace("name: shop", f"name: {name}") + more)
        return path

    def begin_slowly(self, window: str) -> subprocess.Popen[str]:
        """Begin to apply what takes as long as its window to be found unhealthy."""
        spec = SPEC.replace("{window: 300ms}", f"{{window: {window}, checkpoints: 1}}")
        (self.folder / "shop.yaml").write_text(f"{spec}config: {{memory.behaviour: never-checkpoints}}\n")
        return self.spawn("apply", "shop.yaml", "--yes", "--json")

    def run(self, *arguments: str, token: str | None = TOKEN) -> subprocess.CompletedProcess[str]:
        """Run a command against the server."""
        command = [sys.executable, "-m", "scurry.cli.main", *arguments]
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment(token),
            capture_output=True,
            text=True,
            timeout=60,
            stdin=subprocess.DEVNULL,
            check=False,
        )

    def quick(self, *arguments: str, token: str | None = TOKEN) -> subprocess.CompletedProcess[str]:
        """Run a command against the server in this process."""
        out, err = io.StringIO(), io.StringIO()
        with (
            chdir(self.folder),
            patch.dict(os.environ, self.environment(token)),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            code = main(arguments)
        return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())

    def spawn(self, *arguments: str) -> subprocess.Popen[str]:
        """Begin a command against the server."""
        return subprocess.Popen(
            [sys.executable, "-m", "scurry.cli.main", *arguments],
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def environment(self, token: str | None = TOKEN) -> dict[str, str]:
        return {**os.environ, "SCURRY_SERVER": self.url, **({"SCURRY_TOKEN": token} if token else {})}

    def done(self, *arguments: str) -> Any:
        """Run a command that has to succeed. Returns its document."""
        result = self.quick(*arguments, "--json")
        assert result.returncode == 0, result.stdout + result.stderr
        return json.loads(result.stdout)

    def refused(self, *arguments: str, token: str | None = TOKEN) -> str:
        """Run a command that has to fail. Returns the error's code."""
        result = self.quick(*arguments, "--json", token=token)
        assert result.returncode == 1, result.stdout
        return str(json.loads(result.stdout)["error"]["code"])

    def on_the_spot(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the server's own project, in this process."""
        out, err = io.StringIO(), io.StringIO()
        with chdir(self.site.folder), redirect_stdout(out), redirect_stderr(err):
            code = main(arguments)
        return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())
