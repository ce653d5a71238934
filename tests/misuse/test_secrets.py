"""Secrets that are missing are told where they are referred to; those that are there appear nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.misuse.shop import Shop

SECRET = "s3cr3t-Pa55-0f-the-shop"
APPLY = ("apply", "orders.yaml", "--yes")


def test_a_secret_that_is_not_set_is_told_where_it_is_referred_to(shop: Shop) -> None:
    shop.add("properties:\n  database:\n    password: {env: SHOP_PASSWORD}\n")
    refusal = shop.refused(*APPLY, locks=True)
    refusal.is_at("orders.yaml", 8, "properties.database.password")
    assert refusal.code == "secret-missing"
    assert "no variable 'SHOP_PASSWORD'" in refusal.message
    assert "\n  export SHOP_PASSWORD=…" in refusal.hint


def test_a_file_with_a_secret_that_is_not_there_is_told_where_it_is_referred_to(shop: Shop) -> None:
    shop.add("config: {my.token: {file: secrets/token}}\n")
    refusal = shop.refused(*APPLY, locks=True)
    refusal.is_at("orders.yaml", 6, "config.my.token")
    assert "No such file" in refusal.message
    assert f"\n  ls -l {shop.folder}/secrets/token" in refusal.hint


def test_a_missing_secret_of_a_target_is_told_in_the_project(shop: Shop) -> None:
    shop.add(
        "  cluster: {kind: rest, url: 'http://127.0.0.1:1', username: me, password: {env: CLUSTER_PASSWORD}}\n",
        file="scurry.yaml",
    )
    refusal = shop.refused(*APPLY, "--target", "cluster", locks=True)
    refusal.is_at("scurry.yaml", 5, "targets.cluster.url")
    assert "target 'cluster' cannot be used: the secret {env: CLUSTER_PASSWORD} is not there" in refusal.message
    assert "\n  export CLUSTER_PASSWORD=…" in refusal.hint


def test_what_needs_no_secret_works_without_it(shop: Shop) -> None:
    shop.add("properties: {database: {password: {env: SHOP_PASSWORD}}}\n")
    shop.done(*APPLY, env={"SHOP_PASSWORD": SECRET})
    shop.done("plan", "orders.yaml", "--check")
    shop.done(*APPLY)
    shop.done("status")


def test_a_secret_appears_in_no_output_and_no_file(shop: Shop) -> None:
    shop.add(
        "code:\n  jar: orders.jar\n  args: [--password, {env: SHOP_PASSWORD}]\n"
        "config: {my.token: {file: token}}\nproperties: {database: {password: {env: SHOP_PASSWORD}}}\n"
    )
    shop.change("code:\n  jar: orders.jar\nparallelism", "parallelism")
    shop.write("token", f"{SECRET}\n")
    env = {"SHOP_PASSWORD": SECRET}
    told = []
    for command in (
        ("validate", "orders.yaml"),
        ("plan", "orders.yaml", "--json"),
        ("apply", "orders.yaml", "--yes", "--verbose"),
        ("history", "orders", "--json"),
        ("diff", "orders", "1", "2"),
        ("status", "--json"),
    ):
        result = shop.done(*command, env=env)
        told.append(result.out + result.err)
    shop.change("parallelism: 2", "parallelism: 900")
    told.append(shop.refused(*APPLY, "--verbose", locks=True, env=env).text)
    assert all(SECRET not in text for text in told)
    assert "••• (env SHOP_PASSWORD)" in told[4]
    shop.path("token").unlink()
    for path in shop.folder.rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes(), path
