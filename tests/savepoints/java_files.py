"""Runs the Java programs of these tests in a Flink's class path, each compiled once per Flink version."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from scurry.flink.install_cache import default_cache
from scurry.flink.java_programs import Program, compile_program
from scurry.flink.runtimes import Runtimes
from scurry.model.reporting import SilentReporter

SOURCES = Path(__file__).parent / "java"


def run_java(name: str, version: str, *arguments: str) -> str:
    """Run a program with a Flink's classes; return what it wrote to its standard error."""
    runtimes = Runtimes(cache=default_cache(), reporter=SilentReporter())
    flink, java = runtimes.flink(version), runtimes.java(version)
    config = (
        "ExecutionConfig" if version.startswith("1.") else "org.apache.flink.api.common.serialization.SerializerConfig"
    )
    source = (SOURCES / f"{name}.java").read_text().replace("CONFIG config", f"{config} config")
    classes = compile_program(
        Program(name=name, sources={f"{name}.java": source.encode()}), flink=flink, java=java, cache=runtimes.cache
    )
    class_path = os.pathsep.join([str(classes), str(flink.home / "lib" / "*")])
    command = [str(java.executable), "-XX:TieredStopAtLevel=1", "-cp", class_path, name, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr
