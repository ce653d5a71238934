"""Bad input and bad luck on a real Flink, where what Flink itself says matters. One cluster and one job for all."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.misuse.flink_shop import FLINK, FlinkShop, began
from tests.misuse.shop import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.flink, pytest.mark.timeout(600)]

APPLY = ("apply", "orders.yaml", "--yes")
SECRET = "s3cr3t-Pa55-0f-the-shop"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlinkShop]:
    """The shop, running."""
    yield from began(FlinkShop(tmp_path_factory.mktemp("flink")))


@pytest.fixture
def shop(running: FlinkShop) -> FlinkShop:
    """The same, its files as they were at the beginning."""
    running.reset()
    if len(running.running()) != 1:  # an earlier test failed half-way
        running.done(*APPLY)
    return running


def test_a_kill_while_the_first_cluster_starts_leaves_one_cluster_and_one_job(shop: FlinkShop) -> None:
    (cluster,) = shop.done("local", "status", "--json").document["clusters"]
    assert cluster["whole"]
    assert [process["role"] for process in cluster["processes"]] == ["jobmanager", "taskmanager-1"]
    assert len(shop.jobs()) == len(shop.running()) == 1
    shop.done("journal", "check")


# What Flink finds wrong ----------------------------------------------------------------------------------------


def test_sql_that_does_not_parse_is_told_at_the_line_of_the_template(shop: FlinkShop) -> None:
    """Loops and conditions stand before it, so that the rendered text has other lines."""
    shop.change("FROM orders", "FORM orders", file="orders.sql.j2")
    refusal = shop.refused(*APPLY, locks=True)
    assert (refusal.error["file"], refusal.error["line"], refusal.error["column"]) == ("orders.sql.j2", 13, 26)
    assert "not valid SQL: 'orders' was not expected here" in refusal.message


def test_a_column_that_does_not_exist_is_told_at_the_line_of_the_template(shop: FlinkShop) -> None:
    shop.change("SELECT id, amount", "SELECT id, amuont", file="orders.sql.j2")
    refusal = shop.refused(*APPLY, locks=True)
    assert (refusal.error["file"], refusal.error["line"], refusal.error["column"]) == ("orders.sql.j2", 13, 14)
    assert "'amuont'" in refusal.message


def test_a_statement_that_ends_too_early_is_told(shop: FlinkShop) -> None:
    shop.change("WHERE amount > 1;", "WHERE;", file="orders.sql.j2")
    refusal = shop.refused(*APPLY, locks=True)
    assert refusal.error["file"] == "orders.sql.j2"
    assert refusal.error["line"] in {12, 13}


def test_a_connector_that_is_missing_is_told_with_its_coordinate(shop: FlinkShop) -> None:
    shop.change("'blackhole'", "'kafka'", file="orders.sql.j2")
    refusal = shop.refused(*APPLY, locks=True)
    assert (refusal.error["file"], refusal.error["line"]) == ("orders.sql.j2", 6)
    assert "the connector 'kafka' of the table 'big_eu' is not there" in refusal.message
    assert 'connectors: ["mvn:org.apache.flink:flink-sql-connector-kafka:' in refusal.hint


def test_a_main_class_that_has_no_main_is_found_before_the_running_job_is_stopped(shop: FlinkShop) -> None:
    (jar,) = list(shop.path(".scurry/artifacts").glob("*/orders.jar"))[:1]
    shop.path("orders.jar").write_bytes(jar.read_bytes())
    shop.change("sql: orders.sql.j2", "jar: orders.jar\n  main_class: io.scurry.StableUids")
    refusal = shop.refused(*APPLY, locks=True)
    refusal.is_at("orders.yaml", 5, "code.main_class")
    assert "has no method `public static void main(String[])`" in refusal.message
    assert "`main_class`" in refusal.hint


def test_parallelism_above_the_slots_says_how_many_would_do(shop: FlinkShop) -> None:
    shop.change("parallelism: 1", "parallelism: 9")
    refusal = shop.refused(*APPLY, locks=True)
    refusal.is_at("orders.yaml", 5, "parallelism")
    assert "needs 9 slots" in refusal.message
    assert "slots: 9}" in refusal.hint


def test_a_cluster_of_another_flink_is_told_at_the_version(shop: FlinkShop) -> None:
    (jar,) = list(shop.path(".scurry/artifacts").glob("*/orders.jar"))[:1]
    shop.path("orders.jar").write_bytes(jar.read_bytes())
    shop.add(f"  cluster: {{kind: rest, url: '{shop.url}'}}\n", file="scurry.yaml")
    shop.write("other.yaml", 'name: other\nflink: "1.20.5"\ncode: {jar: orders.jar}\ntarget: cluster\n')
    refusal = shop.refused("apply", "other.yaml", "--yes", locks=True)
    refusal.is_at("other.yaml", 2, "flink")
    assert f"runs Flink {FLINK}" in refusal.message


def test_a_port_that_a_cluster_of_ours_has_is_told_by_its_process(shop: FlinkShop) -> None:
    other = FlinkShop(shop.folder.parent / "other")
    other.folder.mkdir(exist_ok=True)
    other.url = shop.url
    other.reset()
    port = shop.url.rpartition(":")[2]
    other.change("slots: 4", f"rest_port: {port}", file="scurry.yaml")
    refusal = other.refused(*APPLY, locks=True)
    refusal.is_at("scurry.yaml", 7, "targets.local.rest_port")
    assert f"port {port}" in refusal.message
    assert "java" in refusal.message


def test_secrets_are_in_no_log_of_flink_and_no_file_but_the_properties(shop: FlinkShop) -> None:
    shop.add("properties:\n  database:\n    password: {env: SHOP_PASSWORD}\n")
    shop.change("'rows-per-second' = '5'", "'rows-per-second' = '{{ rate }}'", file="orders.sql.j2")
    shop.change("regions: [eu, us]", "regions: [eu, us]\n  rate: 5")
    told = shop.done(*APPLY, "--verbose", env={"SHOP_PASSWORD": SECRET})
    assert SECRET not in told.out + told.err
    holding = [path for path in shop.folder.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
    assert [path.name for path in holding] == ["application_properties.json"]
    assert [oct(path.stat().st_mode & 0o777) for path in holding] == ["0o600"]
    (job,) = shop.running()
    assert SECRET not in str(shop.ask(f"/jobs/{job}/config"))


# Bad luck ------------------------------------------------------------------------------------------------------


def test_ctrl_c_between_stop_and_start_is_gone_on_from_with_the_state(shop: FlinkShop) -> None:
    (before,) = shop.running()
    shop.change("amount > 1;", "amount > 2;", file="orders.sql.j2")
    process = shop.start(*APPLY)
    assert process.stderr is not None
    for line in process.stderr:
        if "✓ stop with a savepoint" in line:
            break
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, out + err
    assert "in the journal" in err
    assert "scurry apply FILE" in err

    (told,) = shop.done("status", "orders", "--json").document["applications"]
    assert told["phase"] in {"suspended", "starting", "running"}
    planned = shop.done("plan", "orders.yaml", "--json").document["plans"][0]
    if told["phase"] == "suspended":
        restore = planned["changes"][0]["restore"]
        assert (restore["from"], restore["snapshot"]["kind"]) == ("snapshot", "savepoint")
        assert restore["snapshot"]["job_id"] == before
    assert shop.done("plan", "orders.yaml", "--json").document["plans"][0]["position"] == planned["position"]

    shop.done(*APPLY)
    (after,) = shop.running()
    assert after != before
    assert f"savepoint-{before[:6]}" in str(shop.restored_from(after))


def test_a_job_that_was_cancelled_by_hand_goes_on_from_its_last_checkpoint(shop: FlinkShop) -> None:
    shop.change("amount > 1;", "amount > 2;", file="orders.sql.j2")
    shop.done(*APPLY)
    (before,) = shop.running()
    wait_until(lambda: shop.ask(f"/jobs/{before}/checkpoints")["counts"]["completed"] > 0, "a checkpoint")
    shop.ask(f"/jobs/{before}?mode=cancel", method="PATCH")
    wait_until(lambda: shop.jobs()[before] == "CANCELED", "the job is cancelled")

    (told,) = shop.done("status", "orders", "--json").document["applications"]
    assert (told["phase"], told["health"]["verdict"]) == ("failed", "unhealthy")
    assert "canceled" in told["health"]["reason"]
    assert told["latest_snapshot"]["kind"] == "checkpoint"
    shop.done(*APPLY)
    (after,) = shop.running()
    assert f"{before}/chk-" in str(shop.restored_from(after))


def test_a_cluster_that_was_stopped_by_hand_is_started_again_with_the_state(shop: FlinkShop) -> None:
    shop.change("amount > 1;", "amount > 2;", file="orders.sql.j2")
    (before,) = shop.running()
    wait_until(lambda: shop.ask(f"/jobs/{before}/checkpoints")["counts"]["completed"] > 0, "a checkpoint")
    shop.done("local", "stop", "--yes")
    (told,) = shop.done("status", "orders", "--json").document["applications"]
    assert told["phase"] == "lost"
    shop.done(*APPLY)
    shop.url = str(shop.done("ui", "orders", "--json").document["url"]).partition("/#")[0]
    (after,) = shop.running()
    assert f"{before}/chk-" in str(shop.restored_from(after))
    shop.done("journal", "check")
