"""Write the table of EC2 instance types that `scurry size` knows, from the list that the `moto` package carries.

python scripts/instances.py        (moto comes with the project's development dependencies)
"""

from __future__ import annotations

import gzip
import json
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

TABLE = Path(__file__).parents[1] / "src" / "scurry" / "ec2_instances.txt"


def main() -> None:
    """Write the table."""
    packed = files("moto").joinpath("ec2/resources/instance_types.json.gz").read_bytes()
    found = json.loads(gzip.decompress(packed))
    lines = [
        f"{name} {each['VCpuInfo']['DefaultVCpus']} {each['MemoryInfo']['SizeInMiB']}"
        for name, each in sorted(found.items())
        if not each.get("BareMetal")
    ]
    head = f"# name, vCPUs, MiB of memory; of {len(lines)} EC2 instance types, as moto {version('moto')} lists them"
    TABLE.write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
