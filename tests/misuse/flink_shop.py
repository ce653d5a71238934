"""A shop whose application runs on a real local Flink. Its first `apply` is killed while the cluster starts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import urllib3

from tests.misuse.shop import Shop, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

FLINK = "2.3.0"
PROJECT = """\
name: shop
target: local
targets:
  local:
    kind: local
    task_managers: 1
    slots: 4
"""
SPEC = f"""\
name: orders
flink: "{FLINK}"
code:
  sql: orders.sql.j2
parallelism: 1
config:
  execution.checkpointing.interval: 500ms
variables:
  regions: [eu, us]
"""
SCRIPT = """\
-- Orders that are large, a table for each region.
CREATE TABLE orders (id BIGINT, amount DOUBLE) WITH ('connector' = 'datagen', 'rows-per-second' = '5');

{% for region in regions %}
  {% if region != 'mars' %}
CREATE TABLE big_{{ region }} (id BIGINT, amount DOUBLE) WITH ('connector' = 'blackhole');
  {% endif %}
{% endfor %}

EXECUTE STATEMENT SET BEGIN
{% for region in regions %}
INSERT INTO big_{{ region }}
  SELECT id, amount FROM orders WHERE amount > 1;
{% endfor %}
END;
"""


class FlinkShop(Shop):
    """A project on a local Flink, which is asked itself what runs."""

    url = ""

    def begin(self) -> None:
        """Start the application; kill -9 hits the first try in the middle of the cluster's start."""
        self.reset()
        first = self.start("apply", "orders.yaml", "--yes")
        record = self.path(f".scurry/local/{FLINK}/cluster.json")
        wait_until(lambda: record.exists() and '"jobmanager"' in record.read_text("utf-8"), "the cluster starts")
        first.kill()
        first.communicate()
        self.done("apply", "orders.yaml", "--yes")
        self.url = str(self.done("ui", "orders", "--json").document["url"]).partition("/#")[0]

    def reset(self) -> None:
        """Write the files as they were at the beginning."""
        self.write("scurry.yaml", PROJECT)
        self.write("orders.yaml", SPEC)
        self.write("orders.sql.j2", SCRIPT)

    def close(self) -> None:
        """Stop the cluster. The command knows its own processes."""
        if self.path(".scurry/local").exists():
            self.done("local", "stop", "--yes")

    def ask(self, path: str, *, method: str = "GET") -> Any:
        """Ask Flink itself."""
        answer = urllib3.request(method, self.url + path, timeout=30, retries=False)
        assert answer.status < 300, answer.data
        return answer.json() if answer.data else None

    def jobs(self) -> dict[str, str]:
        """Return the state of every job that Flink shows."""
        return {job["jid"]: job["state"] for job in self.ask("/jobs/overview")["jobs"]}

    def restored_from(self, job_id: str) -> str | None:
        """Return where Flink says that a job was restored from."""
        restored = self.ask(f"/jobs/{job_id}/checkpoints")["latest"]["restored"]
        return str(restored["external_path"]) if restored else None


def began(shop: FlinkShop) -> Iterator[FlinkShop]:
    """Begin, and stop what was begun whatever happens."""
    try:
        shop.begin()
        yield shop
    finally:
        shop.close()
