"""Specs that are wrong: the file, the line, the key, what is wrong and what to do; the running job goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.misuse.shop import Shop

APPLY = ("apply", "orders.yaml", "--yes")


def test_yaml_that_does_not_parse_is_shown_where_it_breaks(shop: Shop) -> None:
    shop.change("jar: orders.jar", "jar: [orders.jar")
    refusal = shop.refused(*APPLY)
    refusal.is_at("orders.yaml", 5, column=12)
    assert "']' is missing" in refusal.message
    assert "line 4" in refusal.message


def test_a_quote_that_is_not_closed_is_shown_where_it_opens(shop: Shop) -> None:
    shop.change('"2.3.0"', '"2.3.0')
    refusal = shop.refused(*APPLY)
    assert "line 2" in refusal.message
    assert "quote" in refusal.message


def test_a_tab_is_called_a_tab(shop: Shop) -> None:
    shop.change("  jar:", "\tjar:")
    refusal = shop.refused(*APPLY)
    refusal.is_at("orders.yaml", 4, column=1)
    assert "tab" in refusal.message


def test_values_of_wrong_types_are_all_told_at_once(shop: Shop) -> None:
    shop.change("parallelism: 2", "parallelism: many\nupgrade: {health: {window: 30}, rollback: perhaps}\nlabels: [a]")
    refusal = shop.refused(*APPLY)
    refusal.is_at("orders.yaml", 5, "parallelism", column=14)
    told = {problem["key"]: problem["message"] for problem in refusal.error["problems"]}
    assert told == {
        "parallelism": "'many' is not a whole number",
        "upgrade.health.window": "'30' has no unit; write for example 30s or 30min",
        "upgrade.rollback": "'perhaps' is neither true nor false",
        "labels": "a list is not a map of keys and values",
    }
    assert [problem["line"] for problem in refusal.error["problems"]] == [5, 6, 6, 7]
    assert "4 errors" in refusal.text


def test_an_unknown_key_names_the_nearest_known_one(shop: Shop) -> None:
    shop.change("parallelism", "paralelism")
    refusal = shop.refused(*APPLY)
    refusal.is_at("orders.yaml", 5, "paralelism", column=1)
    assert "did you mean 'parallelism'?" in refusal.message


def test_a_key_that_is_given_twice_is_told_at_the_second(shop: Shop) -> None:
    shop.add("parallelism: 3\n")
    refusal = shop.refused(*APPLY)
    refusal.is_at("orders.yaml", 6)
    assert "'parallelism' is given twice; first in line 5" in refusal.message


def test_an_environment_that_is_wrong_is_told_before_anybody_uses_it(shop: Shop) -> None:
    shop.add("environments:\n  production:\n    paralelism: 4\n")
    refusal = shop.refused(*APPLY)
    refusal.is_at("orders.yaml", 8, "paralelism")
    assert "(environment production)" in refusal.message


def test_a_variable_that_is_not_defined_is_told_in_the_value_that_uses_it(shop: Shop) -> None:
    shop.add("config:\n  pipeline.name: '{{ titel }}'\nvariables: {title: Orders}\n")
    refusal = shop.refused(*APPLY)
    refusal.is_at("orders.yaml", 7, "config.pipeline.name", column=22)
    assert "did you mean 'title'?" in refusal.message


def test_an_option_that_scurry_sets_itself_is_told_at_its_key(shop: Shop) -> None:
    shop.add("config:\n  execution.savepoint.path: /tmp/x\n")
    shop.refused(*APPLY).is_at("orders.yaml", 7, "config.execution.savepoint.path")


def test_a_name_with_an_at_sign_is_no_way_into_another_environment(shop: Shop) -> None:
    shop.change("name: orders", "name: orders@production")
    refusal = shop.refused(*APPLY)
    refusal.is_at("orders.yaml", 1, "name", column=7)
    assert "is not a name" in refusal.message


def test_malicious_names_are_no_names(shop: Shop) -> None:
    names = ["../../etc/passwd", "-rf", "a b", "'; DROP TABLE application; --", "x" * 200, "", "${HOME}", "a\\nb"]
    files = [f"{number}.yaml" for number in range(len(names))]
    for file, name in zip(files, names, strict=True):
        shop.write(file, shop.path("orders.yaml").read_text().replace("name: orders", f'name: "{name}"'))
    told = shop.refused("validate", *files).error["problems"]
    assert [(problem["file"], problem["line"], problem["key"]) for problem in told] == [(f, 1, "name") for f in files]


# What is no spec at all ----------------------------------------------------------------------------------------


def test_a_spec_that_is_not_there_names_those_that_are(shop: Shop) -> None:
    shop.path("orders.yaml").rename(shop.path("order.yaml"))
    refusal = shop.refused(*APPLY)
    refusal.is_at("orders.yaml")
    assert "no such file" in refusal.message
    assert "order.yaml" in refusal.hint


def test_a_folder_is_no_spec(shop: Shop) -> None:
    shop.path("orders.yaml").unlink()
    shop.path("orders.yaml").mkdir()
    refusal = shop.refused(*APPLY)
    refusal.is_at("orders.yaml")
    assert "folder" in refusal.message


ALIASES = b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (98 + n, 98 + n, b",".join([b"*%c" % (97 + n)] * 9)) for n in range(7)
)
NO_SPECS = {
    "elf": (b"\x7fELF\x02\x01\x01\x00\xff\xfe" * 50, "not UTF-8"),
    "noise": (bytes(range(255, 0, -1)) * 50, "not UTF-8"),
    "utf-16": ("name: ördèrs".encode("utf-16"), "not UTF-8"),
    "nul": (b"name: or\x00ders\n", "U+0000"),
    "list": (b"- a\n- b\n", "a list, not a map"),
    "words": (b"just words\n", "a single value, not a map"),
    "two": (b"a: 1\n---\nb: 2\n", "second document"),
    "huge": (b"# comment\n" * 200_000, "1,000,000 bytes are the most"),
    "deep": (b"a: " + b"[" * 100_000, "nested more than 50 deep"),
    "laughs": (ALIASES, "more than 50,000 values"),
}


def test_what_is_no_spec_is_refused_in_plain_words(shop: Shop) -> None:
    for name, (content, _) in NO_SPECS.items():
        shop.path(f"{name}.yaml").write_bytes(content)
    shop.path("endless.yaml").symlink_to("/dev/zero")
    refusal = shop.refused("validate", *(f"{name}.yaml" for name in NO_SPECS), "endless.yaml")
    told = {problem["file"]: problem["message"] for problem in refusal.error["problems"]}
    for name, (_, says) in NO_SPECS.items():
        assert says in told[f"{name}.yaml"], told
    assert "1,000,000 bytes are the most" in told["endless.yaml"]
    assert len(refusal.text) < 10_000


def test_an_empty_spec_is_told_what_it_needs(shop: Shop) -> None:
    shop.write("orders.yaml", "# nothing yet\n")
    refusal = shop.refused(*APPLY)
    assert [problem["message"] for problem in refusal.error["problems"]] == [
        f"'{key}' is missing" for key in ("name", "flink", "code")
    ]


def test_a_tag_that_makes_objects_makes_none(shop: Shop) -> None:
    shop.change("name: orders", "name: !!python/object/apply:os.system ['touch pwned']")
    shop.refused(*APPLY).is_at("orders.yaml", 1, "name")
    assert not shop.path("pwned").exists()


def test_two_specs_of_one_name_are_refused_before_either_is_applied(shop: Shop) -> None:
    shop.path("copy.yaml").write_text(shop.path("orders.yaml").read_text().replace("parallelism: 2", "parallelism: 3"))
    shop.change("parallelism: 2", "parallelism: 4")
    refusal = shop.refused("apply", "orders.yaml", "copy.yaml", "--yes")
    refusal.is_at("copy.yaml", 1, "name")
    assert "orders.yaml" in refusal.message


# What it refers to ---------------------------------------------------------------------------------------------


def test_an_unknown_environment_names_those_that_are_there(shop: Shop) -> None:
    shop.add("environments: {production: {parallelism: 4}}\n")
    refusal = shop.refused(*APPLY, "--env", "prodution")
    assert "'prodution'" in refusal.message
    assert "production" in refusal.message + refusal.hint


def test_an_unknown_target_names_those_that_are_there(shop: Shop) -> None:
    shop.add("target: nowhere\n")
    refusal = shop.refused(*APPLY)
    refusal.is_at("orders.yaml", 6, "target")
    assert "mem" in refusal.message
    shop.change("target: nowhere\n", "")
    assert "mem" in shop.refused(*APPLY, "--target", "nowhere").hint


def test_parallelism_above_the_slots_is_found_before_the_running_job_is_stopped(shop: Shop) -> None:
    shop.change("parallelism: 2", "parallelism: 100")
    refusal = shop.refused(*APPLY, locks=True)
    refusal.is_at("orders.yaml", 5, "parallelism")
    assert "100" in refusal.message
    assert "64" in refusal.message
    assert "Lower `parallelism`" in refusal.hint


def test_a_spec_that_was_moved_goes_on_as_the_same_application(shop: Shop) -> None:
    shop.path("elsewhere").mkdir()
    for name in ("orders.yaml", "orders.jar"):
        shop.path(name).rename(shop.path("elsewhere") / name)
    (applied,) = shop.done("apply", "elsewhere/orders.yaml", "--yes", "--json").document["applications"]
    assert applied["outcome"] == "unchanged"


# The project file ----------------------------------------------------------------------------------------------


def test_a_wrong_project_file_is_told_whatever_the_command(shop: Shop) -> None:
    shop.change("{kind: memory}", "{kind: memroy}", file="scurry.yaml")
    for command in (APPLY, ("status",), ("stop", "orders", "--yes")):
        refusal = shop.refused(*command)
        refusal.is_at("scurry.yaml", 4, "targets.mem.kind")
        assert "did you mean 'memory'?" in refusal.message


def test_a_target_that_was_taken_out_of_the_project_is_missed_by_name(shop: Shop) -> None:
    shop.write("scurry.yaml", "name: shop\n")
    refusal = shop.refused("stop", "orders", "--yes", locks=True)
    assert "'mem'" in refusal.message
    assert "scurry.yaml" in refusal.hint
    (told,) = shop.done("status", "--json").document["applications"]
    assert (told["phase"], told["target"]) == ("unknown", "mem")


def test_an_application_whose_first_start_was_refused_hides_no_other(shop: Shop) -> None:
    spec = shop.path("orders.yaml").read_text()
    shop.write("other.yaml", spec.replace("name: orders", "name: other").replace("parallelism: 2", "parallelism: 99"))
    shop.refused("apply", "other.yaml", "--yes", locks=True)
    told = {one["name"]: one["phase"] for one in shop.done("status", "--json").document["applications"]}
    assert told == {"orders": "running", "other": "absent"}
    assert shop.done("history", "other", "--json").document["revisions"][0]["outcome"] == "refused"


def test_a_project_file_that_is_a_folder_is_told(shop: Shop) -> None:
    shop.path("scurry.yaml").unlink()
    shop.path("scurry.yaml").mkdir()
    refusal = shop.refused("status")
    refusal.is_at("scurry.yaml")
