"""What is wrong with an application's file is told with file, line and column, in plain words, all at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from scurry.model.errors import SpecInvalid
from scurry.spec.load import load_application
from tests.spec.writing import MINIMAL, SCRIPT, load, problems, write

BASE = MINIMAL.count("\n")
"""lines before what a case adds"""

ADDED = [
    ("parallelism: two", "{4}:14: parallelism: 'two' is not a whole number"),
    ("parallelism: 2.5", "{4}:14: parallelism: '2.5' is not a whole number"),
    ("parallelism: true", "{4}:14: parallelism: 'true' is not a whole number"),
    ("parallelism: 0", "{4}:14: parallelism: 0 is too small; 1 is the least"),
    ("parallelism: 40000", "{4}:14: parallelism: 40000 is too large; 32768 is the most"),
    ("parallelism:", "{4}:1: parallelism: a value is missing"),
    ("parallelism: [1]", "{4}:14: parallelism: a list is not a whole number"),
    ("paralelism: 2", "{4}:1: paralelism: the key 'paralelism' is not known; did you mean 'parallelism'?"),
    ("connectors: mvn:a:b:1", "{4}:13: connectors: a list belongs here; write [mvn:a:b:1]"),
    (
        'connectors: ["mvn:a:b"]',
        "{4}:14: connectors[0]: 'mvn:a:b' is not a Maven coordinate; write mvn:group:artifact:version[:classifier]",
    ),
    (
        "connectors: [kafka]",
        "{4}:14: connectors[0]: 'kafka' is neither a Maven coordinate (mvn:group:artifact:version) nor a path to a jar",
    ),
    ("connectors: [no.jar]", "{4}:14: connectors[0]: there is no file 'no.jar' in ."),
    ("config: [a]", "{4}:9: config: a list is not a map of Flink options"),
    ("config: {a: {b: 1}, a.b: 2}", "{4}:21: config.a.b: the option 'a.b' is given twice, nested and with dots"),
    (
        "config: {a: {secretsmanager: x}}",
        "{4}:13: config.a: a secret of AWS Secrets Manager comes with the managed target, "
        "which this version does not have yet; use {env: NAME} or {file: path}",
    ),
    ("properties: {a: b}", "{4}:17: properties.a: 'b' is not a map of keys and values"),
    (
        "properties: {a: {b: [1]}}",
        "{4}:21: properties.a.b: a list is neither a text, a number, true or false, nor a secret ({env: NAME})",
    ),
    ("properties: {a: {b: {env: ''}}}", "{4}:21: properties.a.b: the secret's env needs a variable as text"),
    (
        "variables: {env: 1, b: 2}",
        "{4}:13: variables.env: 'env' cannot be a variable's name: templates have it",
    ),
    (
        "variables: {a-b: 1}",
        "{4}:13: variables.a-b: 'a-b' cannot be a variable's name: letters, digits and '_', not beginning with a digit",
    ),
    (
        "variables: {a: {secretsmanager: x}}",
        "{4}:16: variables.a: a secret of AWS Secrets Manager comes with the managed target, "
        "which this version does not have yet; use {env: NAME} or {file: path}",
    ),
    ("labels: {a: {<<: b}}", "{4}:18: << merges a map (or a list of maps), and this is neither"),
    ("labels: {[a]: b}", "{4}:10: a key has to be a text"),
    ("labels: {a: {env: B}}", "{4}:13: labels.a: a map is not a text"),
    ("upgrade: savepoint", "{4}:10: upgrade: 'savepoint' is not a map of keys and values"),
    (
        "upgrade: {mode: savepiont}",
        "{4}:17: upgrade.mode: 'savepiont' is not an upgrade mode: savepoint, last-state, stateless",
    ),
    ("upgrade: {rollback: yes}", "{4}:21: upgrade.rollback: 'yes' is neither true nor false"),
    ("upgrade: {rolback: true}", "{4}:11: upgrade.rolback: the key 'rolback' is not known; did you mean 'rollback'?"),
    (
        "upgrade: {allow_non_restored_state: all}",
        "{4}:37: upgrade.allow_non_restored_state: 'all' is neither true, false nor a list of operators' uids",
    ),
    (
        "upgrade: {mode: stateless, allow_non_restored_state: true}",
        "{4}:28: upgrade.allow_non_restored_state: it means nothing with mode stateless, "
        "which restores no state at all; remove one of the two",
    ),
    (
        "upgrade: {health: {window: 30}}",
        "{4}:28: upgrade.health.window: '30' has no unit; write for example 30s or 30min",
    ),
    (
        "upgrade: {health: {window: soon}}",
        "{4}:28: upgrade.health.window: 'soon' is not a duration; write for example 30s, 10min, 1h or 7d",
    ),
    ("upgrade: {health: {window: 0s}}", "{4}:28: upgrade.health.window: '0s' is no time at all"),
    (
        "upgrade: {health: {checkpoints: 2}}\nconfig: {execution.checkpointing.interval: 0}",
        "{4}:33: upgrade.health.checkpoints: no checkpoint ever completes: checkpointing is off "
        "(execution.checkpointing.interval is 0 in config)",
    ),
    (
        "upgrade: {mode: last-state}\nconfig: {execution: {checkpointing: {interval: 0 ms}}}",
        "{4}:17: upgrade.mode: there is no checkpoint to start from: checkpointing is off "
        "(execution.checkpointing.interval is 0 in config)",
    ),
    (
        "snapshots: {schedule: '0 * * *'}",
        "{4}:23: snapshots.schedule: '0 * * *' is not a cron schedule: it has 4 of 5 fields "
        "(minute, hour, day of month, month, day of week)",
    ),
    (
        "snapshots: {schedule: '61 * * * *'}",
        "{4}:23: snapshots.schedule: '61' is not a minute of a cron schedule (0 to 59)",
    ),
    (
        "snapshots: {zone: Mars/Olympus}",
        "{4}:19: snapshots.zone: 'Mars/Olympus' is not a time zone; write for example UTC or Europe/Berlin",
    ),
    (
        "snapshots: {zone: ../../etc/passwd}",
        "{4}:19: snapshots.zone: '../../etc/passwd' is not a time zone; write for example UTC or Europe/Berlin",
    ),
    (
        "snapshots: {max_size: much}",
        "{4}:23: snapshots.max_size: 'much' is not a size; write for example 50GB or 512MiB",
    ),
    ("snapshots: {max_size: 0}", "{4}:23: snapshots.max_size: '0' is no size at all"),
    ("recovery: pray", "{4}:11: recovery: 'pray' is no way to recover: restart, rollback, alert"),
    ("drift: ignore", "{4}:8: drift: 'ignore' is nothing to do about drift: repair, report"),
    (
        "upgrade: {sql: script}",
        "{4}:16: upgrade.sql: 'script' is nothing that an SQL application runs from: plan, none",
    ),
    (
        "upgrade: {rollback_from: then}",
        "{4}:26: upgrade.rollback_from: 'then' is nothing to roll back from: stop, newest",
    ),
    ("upgrade: {health: {hold: 20}}", "{4}:26: upgrade.health.hold: '20' has no unit; write for example 20s or 20min"),
    ("snapshots: {keep: 0}", "{4}:19: snapshots.keep: 0 is too small; 1 is the least"),
    ("target: nowhere", "{4}:9: target: the target 'nowhere' is not defined in scurry.yaml; known: local"),
    ("name: twice", "{4}:1: the key 'name' is given twice; first in line 1"),
    ("a: *b", "{4}:4: there is no anchor &b above"),
    ("\tparallelism: 1", "{4}:1: a tab is used to indent; YAML takes spaces only"),
    ("labels: {a: &x {b: *x}}", "{4}:20: *x stands for itself"),
    (
        "labels: {a: !!python/object:os.system x}",
        "{4}:13: the tag tag:yaml.org,2002:python/object:os.system is not known here",
    ),
    ("---\nname: second", "{4}:1: a second document begins here; a file holds one"),
    (
        "environments: {a b: {}}",
        "{4}:16: environments.a b: 'a b' is not a name for an environment: letters, digits, '-', '_' and '.'",
    ),
    ("environments: {prod: 4}", "{4}:22: environments.prod: '4' is not a map of keys and values"),
    ("environments: [prod]", "{4}:15: environments: a list is not a map of environments"),
    (
        "environments: {prod: {name: x}}",
        "{4}:23: environments.prod.name: an environment cannot have 'name'; it is called name@prod by itself",
    ),
    (
        "environments: {prod: {parallelism: two}}",
        "{4}:36: parallelism: 'two' is not a whole number (environment prod)",
    ),
]


@pytest.mark.parametrize(("added", "expected"), ADDED, ids=[added for added, _ in ADDED])
def test_each_mistake_has_its_place_and_a_plain_sentence(folder: Path, added: str, expected: str) -> None:
    assert problems(folder, MINIMAL + added + "\n") == [f"application.yaml:{expected}".replace("{4}", str(BASE + 1))]


WHOLE = [
    (
        "code: {sql: queries.sql, jar: a.jar}",
        "3:7: code: exactly one of sql, jar, python is needed; found sql and jar",
    ),
    ("code: {}", "3:7: code: exactly one of sql, jar, python is needed; found none"),
    ("code: {sql: queries.sql, args: [x]}", "3:26: code.args: args belongs to jar or python, not to sql"),
    ("code: {python: queries.sql, main_class: x}", "3:29: code.main_class: main_class belongs to jar, not to python"),
    (
        "code: {jar: queries.sql, requirements: queries.sql}",
        "3:26: code.requirements: requirements belongs to python, not to jar",
    ),
    ("code: {sql: nope.sql}", "3:13: code.sql: there is no file 'nope.sql' in ."),
    ("code: {sql: gone/nope.sql}", "3:13: code.sql: there is no 'gone/nope.sql'"),
    ("code: {jar: target/app.jar}", "3:13: code.jar: there is no 'target/app.jar'"),
    ("code: {sql: .}", "3:13: code.sql: '.' is a folder, not a file"),
    ("code: {sql: ''}", "3:13: code.sql: the text is empty"),
    ("code: queries.sql", "3:7: code: 'queries.sql' is not a map of keys and values"),
]


@pytest.mark.parametrize(("code", "expected"), WHOLE, ids=[code for code, _ in WHOLE])
def test_each_mistake_in_code_has_its_place(folder: Path, code: str, expected: str) -> None:
    text = f"name: flights\nflink: 2.3\n{code}\n"
    assert problems(folder, text) == [f"application.yaml:{expected}"]


HEADS = [
    (
        "name: a@b\nflink: 2.3",
        "1:7: name: 'a@b' is not a name: letters, digits, '-', '_' and '.', beginning with a letter or digit",
    ),
    ("name: " + "a" * 101 + "\nflink: 2.3", "1:7: name: the name is 101 characters long; 100 is the most"),
    (
        "name: a\nflink: newest",
        '2:8: flink: \'newest\' is not a Flink version; write a series like "2.3" or a release like "2.3.0"',
    ),
    ("name: a\nflink: 1.17", "2:8: flink: Flink 1.17 is older than 1.18, the oldest that scurry runs"),
    ("name: a", "1:1: 'flink' is missing"),
    ("flink: 2.3\nnam: a", None),
]


@pytest.mark.parametrize(("head", "expected"), HEADS, ids=[head[:20] for head, _ in HEADS])
def test_each_mistake_in_the_head_has_its_place(folder: Path, head: str, expected: str | None) -> None:
    told = problems(folder, f"{head}\ncode: {{sql: queries.sql}}\n")
    if expected is None:
        expected_all = ["1:1: 'name' is missing", "2:1: nam: the key 'nam' is not known; did you mean 'name'?"]
    else:
        expected_all = [expected]
    assert told == [f"application.yaml:{line}" for line in expected_all]


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(folder: Path) -> None:
    told = problems(
        folder,
        """\
        snapshots: {keep: many}
        name: a@b
        upgrade:
          health:
            windw: 3s
        parallelism: "{{ nothing }}"
        flink: 2.3
        code: {sql: queries.sql}
        """,
    )
    assert [line.split(":")[1:3] for line in told] == [["1", "19"], ["2", "7"], ["5", "5"], ["6", "18"]]


def test_mistakes_in_the_file_and_in_its_script_are_told_together(folder: Path) -> None:
    write(folder, {"queries.sql": "SELECT {{ nothing }}"})
    told = problems(folder, MINIMAL + "connectors: [gone.jar]\n")
    assert told == [
        "application.yaml:4:14: connectors[0]: there is no file 'gone.jar' in .",
        "queries.sql:1:11: the variable 'nothing' is not defined; there are none",
    ]


def test_a_key_of_another_place_names_those_of_its_own(folder: Path) -> None:
    write(folder, {"application.yaml": MINIMAL + "upgrade: {zzz: 1}\n", "queries.sql": SCRIPT})
    with pytest.raises(SpecInvalid) as caught:
        load_application(folder / "application.yaml", env={})
    (problem,) = caught.value.problems
    known = (
        "mode, allow_non_restored_state, state_check, unknown_state, sql, health, rollback, rollback_from, stop_timeout"
    )
    assert problem.message == f"the key 'zzz' is not known; known: {known}"
    assert problem.hint == f"Known here: {known}"


def test_what_is_missing_is_explained(folder: Path) -> None:
    write(folder, {"application.yaml": "name: a\ncode: {jar: mvn:a:b:1}\n"})
    with pytest.raises(SpecInvalid) as caught:
        load_application(folder / "application.yaml")
    assert (caught.value.problems[0].hint or "").startswith("flink: Flink version: a series")


FILES = [
    (
        b"",
        [
            "application.yaml:1:1: 'name' is missing",
            "application.yaml:1:1: 'flink' is missing",
            "application.yaml:1:1: 'code' is missing",
        ],
    ),
    (
        b"# only a comment\n",
        [
            "application.yaml:1:1: 'name' is missing",
            "application.yaml:1:1: 'flink' is missing",
            "application.yaml:1:1: 'code' is missing",
        ],
    ),
    (b"- a\n- b\n", ["application.yaml:1:1: the file holds a list, not a map of keys and values"]),
    (b"\nflights\n", ["application.yaml:2:1: the file holds a single value, not a map of keys and values"]),
    (b"name: a\nflink: \xff\n", ["application.yaml:2:8: the file is not UTF-8 text: byte 0xff stands here"]),
    (b"name: a\nflink: \x07\n", ["application.yaml:2:8: the character U+0007 cannot stand in YAML"]),
    (
        b"name: [a\nflink: 2\n",
        ["application.yaml:2:6: not YAML: a list begins with '[' on line 1, and its ']' is missing"],
    ),
    (b"a: " + b"[" * 60 + b"]" * 60, ["application.yaml:1:54: nested more than 50 deep"]),
    (b"x" * 1_000_001, ["application.yaml: the file is too long; 1,000,000 bytes are the most"]),
]


@pytest.mark.parametrize(("content", "expected"), FILES, ids=range(len(FILES)))
def test_a_file_that_is_no_spec_at_all_is_told_as_such(folder: Path, content: bytes, expected: list[str]) -> None:
    (folder / "application.yaml").write_bytes(content)
    with pytest.raises(SpecInvalid) as caught:
        load_application(folder / "application.yaml")
    assert [str(problem) for problem in caught.value.problems] == expected


def test_a_few_aliases_cannot_make_billions_of_values(folder: Path) -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    bomb += "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12))
    (told,) = problems(folder, bomb)
    assert told == "application.yaml:5:25: the file makes more than 50,000 values (aliases count each time)"


def test_a_missing_file_a_folder_and_an_unreadable_one_are_told(folder: Path) -> None:
    for name, expected in (("gone.yaml", "gone.yaml: there is no such file"), (".", ".: this is a folder, not a file")):
        with pytest.raises(SpecInvalid) as caught:
            load_application(Path(name))
        assert str(caught.value) == expected


def test_an_unknown_environment_names_the_known_ones(folder: Path) -> None:
    text = MINIMAL + "environments: {production: {}, staging: {}}\n"
    told = problems(folder, text, environment="prodution")
    assert told == [
        "application.yaml:4:1: environments: the environment 'prodution' is not known; did you mean 'production'?"
    ]
    assert load(folder, text, environment="staging").id == "flights@staging"


def test_a_file_that_may_not_be_read_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder, {"application.yaml": MINIMAL})

    def refuse(path: Path, mode: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(SpecInvalid) as caught:
        load_application(folder / "application.yaml")
    assert str(caught.value) == "application.yaml: cannot be read: Permission denied"


def test_a_script_without_a_statement_is_told(folder: Path) -> None:
    write(folder, {"queries.sql": "-- nothing yet\n;\n"})
    assert problems(folder, MINIMAL) == ["queries.sql:1:1: the script holds no statement"]


def test_a_script_that_is_not_text_is_told(folder: Path) -> None:
    (folder / "queries.sql").write_bytes(b"SELECT 1;\n\x80")
    assert problems(folder, MINIMAL) == ["queries.sql:2:1: the file is not UTF-8 text: byte 0x80 stands here"]


def test_a_secret_where_only_a_text_belongs_is_told(folder: Path) -> None:
    told = problems(folder, MINIMAL + "variables: {s: {env: S}}\ndescription: '{{ s }}'\nparallelism: '{{ s }}'\n")
    assert told == [
        "application.yaml:5:14: description: a secret is not a text",
        "application.yaml:6:14: parallelism: a secret is not a whole number",
    ]
