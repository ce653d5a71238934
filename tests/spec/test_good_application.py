"""What a right application's file becomes: values, environments, secrets, and where each value stands."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from scurry.model.application import CodeKind
from scurry.model.desired import DriftPolicy, RecoveryPolicy, RollbackSource, UpgradeMode
from scurry.model.values import SecretRef
from scurry.spec.load import load_application, load_project
from tests.spec.writing import MINIMAL, load, problems, write

EXAMPLE = """\
# application.yaml
name: flight-delays
flink: "2.3"
code:                       # exactly one of sql, jar, python
  sql: queries.sql.j2
connectors: ["mvn:org.apache.flink:flink-sql-connector-kafka:4.0.1-2.0"]
parallelism: 2
config: {execution.checkpointing.interval: 10s}
properties: {input: {path: data/flights}}
variables: {airline: UA}
upgrade:
  mode: savepoint
  allow_non_restored_state: false
  health: {window: 30s, restarts: 0, checkpoints: 1}
  rollback: true
snapshots: {schedule: "0 * * * *", keep: 24, max_age: 7d}
target: local
environments:
  production: {target: msf-eu, parallelism: 40, config: {execution.checkpointing.interval: 60s}}
"""


@pytest.fixture
def example(folder: Path) -> Path:
    write(
        folder,
        {
            "application.yaml": EXAMPLE,
            "queries.sql.j2": "INSERT INTO t SELECT * FROM f WHERE c = '{{ airline }}';\n",
            "scurry.yaml": "targets: {msf-eu: {kind: rest, url: 'http://flink:8081/'}}\n",
        },
    )
    return folder / "application.yaml"


def test_the_documented_example_is_read_field_by_field(example: Path) -> None:
    loaded = load_application(example)
    application = loaded.application
    assert (loaded.id, application.name, application.flink) == ("flight-delays", "flight-delays", "2.3")
    assert (application.code.kind, application.code.source) == (CodeKind.SQL, "queries.sql.j2")
    assert application.connectors == ("mvn:org.apache.flink:flink-sql-connector-kafka:4.0.1-2.0",)
    assert application.parallelism == 2
    assert application.config == {"execution.checkpointing.interval": "10s"}
    assert application.properties == {"input": {"path": "data/flights"}}
    policy = application.upgrade_policy()
    assert (policy.mode, policy.allow_non_restored_state, policy.rollback) == (UpgradeMode.SAVEPOINT, False, True)
    assert (policy.health.window, policy.health.restarts, policy.health.checkpoints) == (timedelta(seconds=30), 0, 1)
    snapshots = application.snapshots.policy()
    assert (snapshots.schedule, snapshots.keep, snapshots.max_age) == ("0 * * * *", 24, timedelta(days=7))
    assert loaded.script
    assert loaded.script.sources() == ("INSERT INTO t SELECT * FROM f WHERE c = 'UA'",)


def test_an_environment_overlays_the_base_and_its_places_are_its_own(example: Path) -> None:
    loaded = load_application(example, environment="production")
    assert loaded.id == "flight-delays@production"
    assert loaded.application.parallelism == 40
    assert loaded.application.target == "msf-eu"
    assert loaded.application.config == {"execution.checkpointing.interval": "60s"}
    assert str(loaded.place("config", "execution.checkpointing.interval")) == "application.yaml:19:92"
    assert str(loaded.place("parallelism", of_key=True)) == "application.yaml:19:32"
    assert str(loaded.place("upgrade", "mode")) == "application.yaml:12:9"


def test_what_is_not_said_has_the_documented_default(folder: Path) -> None:
    application = load(folder, MINIMAL).application
    policy = application.upgrade_policy()
    assert application.parallelism == 1
    assert application.target is None
    assert policy.mode is UpgradeMode.SAVEPOINT
    assert policy.rollback
    assert policy.stop_timeout == timedelta(minutes=30)
    assert policy.health.window == timedelta(seconds=30)


@pytest.mark.parametrize(
    ("config", "checkpoints"),
    [
        ("{}", 0),
        ("{execution.checkpointing.interval: 10s}", 1),
        ("{execution: {checkpointing: {interval: 10000}}}", 1),
        ("{execution.checkpointing.interval: 0 s}", 0),
        ("{execution.checkpointing.interval: {env: INTERVAL}}", 0),
    ],
)
def test_health_asks_for_a_checkpoint_when_checkpointing_is_known_to_be_on(
    folder: Path, config: str, checkpoints: int
) -> None:
    application = load(folder, MINIMAL + f"config: {config}\n").application
    assert application.upgrade_policy().health.checkpoints == checkpoints


def test_values_are_taken_as_they_are_written(folder: Path) -> None:
    application = load(
        folder,
        """\
        name: 007
        flink: 1.20
        code: {python: queries.sql, args: [1.50, true, -x, 0x1F, no]}
        config:
          a: 1_000
          b: 010
          c: True
          d: 1e3
          e: [x, 1.0]
        properties: {g: {v: 1.10}}
        """,
    ).application
    assert (application.name, application.flink) == ("007", "1.20")
    assert application.code.args == ("1.50", "true", "-x", "0x1F", "no")
    assert application.config == {"a": "1_000", "b": "010", "c": "true", "d": "1e3", "e": "x;1.0"}
    assert application.properties == {"g": {"v": "1.10"}}


def test_nested_options_are_the_dotted_ones_and_know_their_places(folder: Path) -> None:
    loaded = load(
        folder,
        MINIMAL
        + """\
config:
  execution:
    checkpointing:
      interval: 10s
    checkpointing.mode: AT_LEAST_ONCE
  state.backend:
    type: rocksdb
""",
    )
    assert loaded.application.config == {
        "execution.checkpointing.interval": "10s",
        "execution.checkpointing.mode": "AT_LEAST_ONCE",
        "state.backend.type": "rocksdb",
    }
    assert str(loaded.place("config", "execution.checkpointing.interval")) == "application.yaml:7:17"
    assert str(loaded.place("config", "state.backend.type", of_key=True)) == "application.yaml:10:5"


def test_nested_and_dotted_options_meet_in_an_overlay(folder: Path) -> None:
    text = MINIMAL + (
        "config: {execution.checkpointing.interval: 10s, a.b: 1}\n"
        "environments: {p: {config: {execution: {checkpointing: {interval: 60s}}, a.b: }}}\n"
    )
    assert load(folder, text, environment="p").application.config == {"execution.checkpointing.interval": "60s"}


def test_an_overlay_merges_maps_replaces_lists_and_removes_with_nothing(folder: Path) -> None:
    write(folder, {"app.jar": "", "other.sql": "INSERT INTO a SELECT 1;"})
    text = MINIMAL + (
        "labels: {team: a, tier: b}\n"
        "connectors: ['mvn:a:b:1', 'mvn:a:c:1']\n"
        "snapshots: {keep: 3, max_age: 7d}\n"
        "properties: {p: {secret: {env: A}}}\n"
        "environments:\n"
        "  p:\n"
        "    labels: {team: c}\n"
        "    connectors: ['mvn:a:d:1']\n"
        "    snapshots: {max_age: }\n"
        "    properties: {p: {secret: {file: b}}}\n"
        "    code: {sql: , jar: app.jar}\n"
        "  empty:\n"
    )
    application = load(folder, text, environment="p").application
    assert application.labels == {"team": "c", "tier": "b"}
    assert application.connectors == ("mvn:a:d:1",)
    assert (application.snapshots.keep, application.snapshots.max_age) == (3, None)
    assert application.properties == {"p": {"secret": SecretRef(source="file", name="b")}}
    assert application.code.kind is CodeKind.JAR
    assert load(folder, text, environment="empty").application == load(folder, text).application


def test_a_mistake_in_an_overlay_is_told_at_the_overlay_whichever_environment_is_chosen(folder: Path) -> None:
    text = MINIMAL + "parallelism: 1\nenvironments:\n  p: {parallelism: two}\n  q: {}\n"
    assert problems(folder, text, environment="p") == [
        "application.yaml:6:20: parallelism: 'two' is not a whole number"
    ]
    for chosen in (None, "q"):
        told = problems(folder, text, environment=chosen)
        assert told == ["application.yaml:6:20: parallelism: 'two' is not a whole number (environment p)"]


def test_templates_of_other_environments_need_not_be_fillable_here(folder: Path) -> None:
    text = MINIMAL + "environments:\n  p: {parallelism: '{{ env.ONLY_THERE }}', target: '{{ env.ONLY_THERE }}'}\n"
    assert load(folder, text).application.parallelism == 1


def test_anchors_and_merge_keys_serve(folder: Path) -> None:
    loaded = load(
        folder,
        MINIMAL
        + """\
labels: &team {team: delays, floor: 3}
properties:
  a: &a {path: x, mode: fast}
  b: {<<: *a, mode: slow}
  c: {<<: [*team, *a]}
  d: *a
""",
    )
    assert loaded.application.properties == {
        "a": {"path": "x", "mode": "fast"},
        "b": {"path": "x", "mode": "slow"},
        "c": {"path": "x", "mode": "fast", "team": "delays", "floor": "3"},
        "d": {"path": "x", "mode": "fast"},
    }
    assert str(loaded.place("properties", "b", "path")) == "application.yaml:6:16"
    assert str(loaded.place("properties", "d")) == "application.yaml:9:6"


def test_secrets_are_references_and_never_read(folder: Path) -> None:
    loaded = load(
        folder,
        MINIMAL
        + """\
variables: {password: {env: PASSWORD}, kafka: {user: me, key: {file: key.txt}}}
config: {a.b: {env: TOKEN}, c: "{{ password }}"}
properties: {g: {k: "{{ kafka.key }}", l: {file: /run/secret}}}
""",
        env={"PASSWORD": "hunter2", "TOKEN": "hunter3"},
    )
    password = SecretRef(source="env", name="PASSWORD")
    key = SecretRef(source="file", name="key.txt")
    assert loaded.application.config == {"a.b": SecretRef(source="env", name="TOKEN"), "c": password}
    assert loaded.application.properties == {"g": {"k": key, "l": SecretRef(source="file", name="/run/secret")}}
    assert loaded.application.variables == {"password": password, "kafka": {"user": "me", "key": key}}
    assert "hunter" not in repr(loaded)


def test_a_secret_in_an_sql_script_is_a_placeholder_that_is_told_with_it(folder: Path) -> None:
    write(folder, {"queries.sql": "SELECT '{{ password }}', '{{ variables.other.key }}', '{{ user }}'"})
    variables = "{password: {env: PW}, other: {key: {file: k}}, user: me, unused: {env: U}}"
    loaded = load(folder, MINIMAL + f"variables: {variables}\n")
    assert loaded.script
    assert loaded.script.text == "SELECT '${secret:password}', '${secret:other.key}', 'me'"
    assert loaded.secrets == {
        "password": SecretRef(source="env", name="PW"),
        "other.key": SecretRef(source="file", name="k"),
    }


def test_a_secret_is_refused_as_a_part_of_a_text(folder: Path) -> None:
    text = MINIMAL + "variables: {password: {env: PW}}\nproperties: {g: {url: 'user:{{ password }}'}}\n"
    assert problems(folder, text) == [
        "application.yaml:5:23: properties.g.url: the secret 'password' cannot be part of a longer text; "
        "use it as a whole value or in SQL"
    ]


def test_variables_are_filled_in_everywhere_and_use_each_other(folder: Path) -> None:
    application = load(
        folder,
        MINIMAL
        + """\
parallelism: "{{ slots * 2 }}"
variables: {greeting: "{{ word }} {{ variables.name }}", word: hi, name: "{{ env.WHO }}", slots: 3, items: [1]}
description: |
  {{ greeting }} from
  {{ variables.items[0] }}
labels: {raw: "{% raw %}{{ x }}{% endraw %}"}
""",
        env={"WHO": "you"},
    ).application
    assert application.parallelism == 6
    assert application.description == "hi you from\n1\n"
    assert application.labels == {"raw": "{{ x }}"}


def test_variables_in_a_circle_are_told(folder: Path) -> None:
    told = problems(folder, MINIMAL + 'variables: {a: "{{ b }}", b: "{{ a }}"}\n')
    assert told[0].startswith("application.yaml:4:1: variables: variables use each other in a circle: ")


def test_the_projects_variables_and_environments_lie_below_the_applications(folder: Path) -> None:
    write(
        folder,
        {
            "scurry.yaml": """\
                targets: {far: {kind: memory}, near: {kind: memory}}
                variables: {a: project, b: project, c: project, d: project}
                environments:
                  prod:
                    target: far
                    variables: {b: project-prod, c: project-prod, d: project-prod}
                """,
        },
    )
    text = (
        MINIMAL + "variables: {c: base, d: base}\nenvironments: {prod: {variables: {d: prod}}, mine: {target: near}}\n"
    )
    prod = load(folder, text, environment="prod").application
    assert prod.variables == {"a": "project", "b": "project-prod", "c": "base", "d": "prod"}
    assert prod.target == "far"
    assert load(folder, text, environment="mine").application.target == "near"
    assert load(folder, text).application.target is None


def test_an_environment_of_the_project_alone_serves(folder: Path) -> None:
    write(folder, {"scurry.yaml": "environments: {prod: {variables: {a: 1}}}\n"})
    assert load(folder, MINIMAL, environment="prod").id == "flights@prod"


def test_a_role_of_ansible_keeps_its_layout(folder: Path) -> None:
    write(
        folder,
        {
            "flink_jobs/tasks/main.yml": "- name: Run\n  template: {src: queries.sql.j2}\n",
            "flink_jobs/templates/queries.sql.j2": "{% include 'ddl.sql.j2' %}\n"
            "{% from 'macros/m.j2' import q %}{{ q('x') }};\n",
            "flink_jobs/templates/ddl.sql.j2": "CREATE TABLE t (a STRING) WITH ('brokers' = '{{ brokers }}');",
            "flink_jobs/templates/macros/m.j2": "{% macro q(x) %}INSERT INTO t SELECT '{{ x }}'{% endmacro %}",
        },
    )
    text = "name: a\nflink: 2.3\ncode: {sql: flink_jobs/templates/queries.sql.j2}\nvariables: {brokers: 'b:9092'}\n"
    script = load(folder, text).script
    assert script
    assert script.sources() == ("CREATE TABLE t (a STRING) WITH ('brokers' = 'b:9092')", "INSERT INTO t SELECT 'x'")
    first, second = script.statements
    assert str(script.place(first.start)) == "flink_jobs/templates/ddl.sql.j2:1:1"
    assert str(script.place(second.start)) == "flink_jobs/templates/macros/m.j2:1:17"


def test_files_are_looked_for_beside_the_application(folder: Path) -> None:
    write(folder, {"deep/application.yaml": MINIMAL, "deep/queries.sql": "INSERT INTO a SELECT 1"})
    loaded = load_application(folder / "deep" / "application.yaml", project=load_project(folder))
    assert loaded.file("queries.sql") == folder / "deep" / "queries.sql"
    assert loaded.folder == folder / "deep"


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(folder: Path) -> None:
    text = "\ufeff" + (MINIMAL + "parallelism: two\n").replace("\n", "\r\n")
    (folder / "queries.sql").write_text("INSERT INTO t\r\nSELECT 1;\r\n", newline="")
    (folder / "application.yaml").write_text(text, newline="")
    assert problems_of_file(folder) == ["application.yaml:4:14: parallelism: 'two' is not a whole number"]


def problems_of_file(folder: Path) -> list[str]:
    from scurry.model.errors import SpecInvalid

    with pytest.raises(SpecInvalid) as caught:
        load_application(folder / "application.yaml")
    return [str(problem) for problem in caught.value.problems]


def test_a_mistake_in_a_variable_of_the_project_is_told_in_the_projects_file(folder: Path) -> None:
    write(
        folder,
        {
            "scurry.yaml": """\
                variables: {a: 1, b: "{{ gone }}"}
                environments:
                  prod: {variables: {c: "x {{ lost }}"}, target: local}
                """,
        },
    )
    text = MINIMAL + "variables: {d: 1}\n"
    assert problems(folder, text, environment="prod") == [
        "scurry.yaml:1:26: variables.b: the variable 'gone' is not defined; known: a, c, d",
        "scurry.yaml:3:31: variables.c: the variable 'lost' is not defined; known: a, b, d",
    ]


def test_templates_make_flags_and_lists_of_operators_are_read(folder: Path) -> None:
    text = MINIMAL + "upgrade: {rollback: '{{ 1 > 2 }}', allow_non_restored_state: [a, b]}\n"
    policy = load(folder, text).application.upgrade_policy()
    assert not policy.rollback
    assert policy.allow_non_restored_state == ("a", "b")
    text = MINIMAL + "upgrade: {allow_non_restored_state: []}\n"
    assert load(folder, text).application.upgrade_policy().allow_non_restored_state is False


@pytest.mark.parametrize(
    ("written", "size"), [("50GB", 50 * 10**9), ("1.5 MiB", 3 * 2**19), ("4096", 4096), ("'10 kB'", 10_000)]
)
def test_a_size_is_read_with_decimal_and_binary_units(folder: Path, written: str, size: int) -> None:
    found = load(folder, f"{MINIMAL}snapshots: {{max_size: {written}, schedule: '@daily', zone: Europe/Berlin}}\n")
    policy = found.application.snapshots.policy()
    assert (policy.max_size, policy.zone) == (size, "Europe/Berlin")


def test_what_is_done_by_itself_has_a_default_that_acts(folder: Path) -> None:
    usual = load(folder, MINIMAL).application
    assert (usual.recovery, usual.drift) == (RecoveryPolicy.RESTART, DriftPolicy.REPAIR)
    assert usual.upgrade_policy().health.hold == timedelta()
    assert usual.upgrade_policy().rollback_from is RollbackSource.STOP
    assert usual.snapshots.policy().zone == "UTC"
    cautious = load(
        folder, f"{MINIMAL}recovery: alert\ndrift: report\nupgrade: {{health: {{hold: 90s}}, rollback_from: newest}}\n"
    ).application
    assert (cautious.recovery, cautious.drift) == (RecoveryPolicy.ALERT, DriftPolicy.REPORT)
    assert cautious.upgrade_policy().rollback_from is RollbackSource.NEWEST
    assert cautious.upgrade_policy().health.hold == timedelta(seconds=90)
