"""Flink's options in the words of each version, and those that an application cannot set."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scurry.engine import flink_option_table as table
from scurry.engine.flink_options import PreparedConfig, option_name, prepare_config
from scurry.model.values import SecretRef

RENAMED = [line.split() for line in table.RENAMED.replace("\n ", " ").strip().splitlines()]


def problems(prepared: PreparedConfig) -> list[tuple[str, str, str | None]]:
    return [(problem.key, problem.message, problem.hint) for problem in prepared.problems]


@pytest.mark.parametrize(
    ("written", "version", "name"),
    [
        ("state.backend", "2.3.0", "state.backend.type"),
        ("state.backend", "1.18.1", "state.backend.type"),
        ("state.checkpoints.dir", "2.3", "execution.checkpointing.dir"),
        ("state.checkpoints.dir", "1.20.5", "execution.checkpointing.dir"),
        ("state.checkpoints.dir", "1.19.3", "state.checkpoints.dir"),
        ("execution.checkpointing.dir", "1.19.3", "state.checkpoints.dir"),
        ("state.backend.fs.checkpointdir", "1.18.1", "state.checkpoints.dir"),
        ("state.backend.fs.checkpointdir", "2.0.0", "execution.checkpointing.dir"),
        ("state.savepoints.dir", "2.1.0", "execution.checkpointing.savepoint-dir"),
        ("state.backend.incremental", "2.3.0", "execution.checkpointing.incremental"),
        ("execution.checkpointing.incremental", "1.19.0", "state.backend.incremental"),
        ("restart-strategy", "2.3.0", "restart-strategy.type"),
        ("execution.checkpointing.unaligned", "2.3.0", "execution.checkpointing.unaligned.enabled"),
        ("state.backend.local-recovery", "1.20.0", "execution.state-recovery.from-local"),
        ("table.exec.async-scalar.max-concurrent-operations", "2.1.0", "table.exec.async-scalar.buffer-capacity"),
        ("my.own.option", "2.3.0", "my.own.option"),
    ],
)
def test_an_option_is_called_as_the_version_calls_it(written: str, version: str, name: str) -> None:
    assert option_name(written, flink_version=version) == name
    prepared = prepare_config({written: "x"}, flink_version=version)
    assert list(prepared.config) == [name]


@pytest.mark.parametrize("version", ["1.18.1", "1.19.3", "1.20.5", "2.0.0", "2.3.0", "2.10.0", "3.0.0"])
def test_every_spelling_of_an_option_becomes_the_same_name(version: str) -> None:
    for _, *spellings in RENAMED:
        names = {option_name(spelling, flink_version=version) for spelling in spellings}
        assert len(names) == 1
        assert names <= set(spellings[:2])


def test_translation_there_and_back_gives_the_same_configuration() -> None:
    new = {"execution.checkpointing.dir": "file:/x", "execution.checkpointing.incremental": "true"}
    old = prepare_config(new, flink_version="1.19.3").config
    assert old == {"state.checkpoints.dir": "file:/x", "state.backend.incremental": "true"}
    assert prepare_config(old, flink_version="2.3.0").config == new


def test_a_translation_is_told() -> None:
    prepared = prepare_config({"state.backend": "rocksdb"}, flink_version="2.3.0")
    assert prepared.config == {"state.backend.type": "rocksdb"}
    assert prepared.notes == ("'state.backend' is 'state.backend.type' in Flink 2.3; it is set under that name.",)
    assert prepared.problems == ()


def test_both_spellings_with_one_value_are_one_option() -> None:
    config = {"state.savepoints.dir": "s3://x", "execution.checkpointing.savepoint-dir": "s3://x"}
    prepared = prepare_config(config, flink_version="2.3.0")
    assert prepared.config == {"execution.checkpointing.savepoint-dir": "s3://x"}
    assert prepared.problems == ()


def test_both_spellings_with_two_values_are_a_conflict() -> None:
    config = {"state.savepoints.dir": "s3://x", "execution.checkpointing.savepoint-dir": "s3://y"}
    assert problems(prepare_config(config, flink_version="2.3.0")) == [
        (
            "execution.checkpointing.savepoint-dir",
            "'execution.checkpointing.savepoint-dir' and 'state.savepoints.dir' are the same option of Flink, "
            "and their values differ",
            "Keep one of them.",
        )
    ]


@pytest.mark.parametrize(
    ("key", "why", "hint"),
    [
        ("pipeline.name", "the job is called as the application is", "Use the field 'name' of the spec."),
        ("parallelism.default", "the parallelism has a field of its own", "Use the field 'parallelism' of the spec."),
        ("pipeline.jars", "jars have a field of their own", "Use the field 'connectors' of the spec."),
        ("execution.savepoint.path", "scurry chooses the state that a job starts from", "Remove it."),
        ("execution.state-recovery.path", "scurry chooses the state that a job starts from", "Remove it."),
        (
            "execution.savepoint-restore-mode",
            "a snapshot that Flink owned could be gone when a rollback needs it",
            "Remove it.",
        ),
        (
            "execution.savepoint.ignore-unclaimed-state",
            "dropping state is asked for in the spec",
            "Use the field 'upgrade.allow_non_restored_state' of the spec.",
        ),
        ("execution.target", "the target has a field of its own", "Use the field 'target' of the spec."),
        ("$internal.pipeline.job-id", "it is internal to Flink", "Remove it."),
        (
            "python.requirements",
            "scurry makes the Python environment",
            "Use the field 'code.requirements' of the spec.",
        ),
    ],
)
@pytest.mark.parametrize("version", ["1.19.3", "1.20.5", "2.3.0"])
@pytest.mark.parametrize("session", [True, False])
def test_what_scurry_sets_itself_names_the_field_to_use(
    key: str, why: str, hint: str, version: str, session: bool
) -> None:
    prepared = prepare_config({key: "x"}, flink_version=version, session=session)
    assert problems(prepared) == [(key, f"'{key}' cannot be set here: {why}", hint)]
    assert prepared.notes == ()


@pytest.mark.parametrize(
    "key",
    [
        "taskmanager.numberOfTaskSlots",
        "taskmanager.state.local.root-dirs",
        "jobmanager.memory.process.size",
        "jobmanager.scheduler",
        "rest.port",
        "blob.server.port",
        "high-availability",
        "high-availability.type",
        "metrics.reporters",
        "security.ssl.rest.enabled",
        "web.refresh-interval",
        "env.java.opts.all",
        "classloader.resolve-order",
        "io.tmp.dirs",
        "s3.access-key",
        "fs.default-scheme",
        "kubernetes.cluster-id",
    ],
)
def test_what_only_a_cluster_can_set_says_where_it_goes(key: str) -> None:
    (problem,) = prepare_config({key: "1"}, flink_version="2.3.0").problems
    assert (problem.key, problem.message) == (key, f"'{key}' is an option of the cluster; a job cannot set it")
    assert problem.hint
    assert "scurry.yaml, under targets.NAME.config" in problem.hint
    assert prepare_config({key: "1"}, flink_version="2.3.0", session=False).problems == ()


@pytest.mark.parametrize("key", ["metrics.latency.interval", "fine-grained.shuffle-mode.all-blocking"])
def test_what_a_job_can_set_in_spite_of_its_name_is_let_through(key: str) -> None:
    assert prepare_config({key: "1"}, flink_version="2.3.0").problems == ()


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("execution.checkpointing.force", "Remove it."),
        ("table.exec.shuffle-mode", "Use execution.batch-shuffle-mode."),
        ("pipeline.registered-kryo-types", "Use pipeline.serialization-config."),
    ],
)
def test_what_a_version_no_longer_has_is_refused_there_and_only_there(key: str, hint: str) -> None:
    assert prepare_config({key: "true"}, flink_version="1.20.5").problems == ()
    assert problems(prepare_config({key: "true"}, flink_version="2.0.0")) == [
        (key, f"Flink 2.0 has no option '{key}': it was removed in 2.0", hint)
    ]


def test_a_state_backend_that_is_gone_is_refused_where_it_is_gone() -> None:
    config = {"state.backend": "filesystem"}
    assert prepare_config(config, flink_version="1.20.5").problems == ()
    assert problems(prepare_config(config, flink_version="2.3.0")) == [
        (
            "state.backend",
            "the state backend 'filesystem' was removed in Flink 2.0",
            "Use hashmap; where checkpoints go is execution.checkpointing.storage.",
        )
    ]


VALUES = [
    (
        "execution.checkpointing.interval",
        ["10s", "10 s", "5min", "1 h", "0", "100ms", "3 days", "10 SECONDS"],
        ["soon", "1.5s", "1h 30m", "-1s", ""],
        "a duration as Flink writes it: one number with a unit, like 10s, 5min or 1h",
    ),
    ("execution.checkpointing.unaligned.enabled", ["true", "False", " TRUE "], ["yes", "1", ""], "true or false"),
    ("execution.checkpointing.num-retained", ["3", "-1"], ["three", "3.0", "3s"], "a whole number"),
    ("python.fn-execution.memory.managed", ["true"], ["0.4"], "true or false"),
    (
        "execution.checkpointing.data-inline-threshold",
        ["20kb", "1 mb", "1024"],
        ["20 kilo", "-1"],
        "a memory size as Flink writes it, like 64kb, 512m or 1g",
    ),
    (
        "execution.checkpointing.mode",
        ["EXACTLY_ONCE", "at_least_once"],
        ["twice"],
        "one of EXACTLY_ONCE, AT_LEAST_ONCE",
    ),
    (
        "restart-strategy.type",
        ["fixed-delay", "none", "com.example.Mine"],
        ["fixed"],
        "one of none, off, disable, fixed-delay, fixeddelay, failure-rate, failurerate, "
        "exponential-delay, exponentialdelay",
    ),
    ("restart-strategy.exponential-delay.jitter-factor", ["0.1", "1", "1e-2"], ["a tenth"], "a number"),
]


@pytest.mark.parametrize(("key", "right", "wrong", "expected"), VALUES, ids=[case[0] for case in VALUES])
def test_values_are_what_flink_takes(key: str, right: list[str], wrong: list[str], expected: str) -> None:
    for value in right:
        assert prepare_config({key: value}, flink_version="2.3.0").problems == ()
    for value in wrong:
        assert problems(prepare_config({key: value}, flink_version="2.3.0")) == [
            (key, f"'{value}' is not {expected}", None)
        ]


def test_values_are_checked_under_any_spelling_and_in_any_version() -> None:
    config = {"execution.checkpointing.unaligned": "yes", "state.backend.incremental": "perhaps"}
    for version in ("1.19.3", "2.3.0"):
        assert [problem.key for problem in prepare_config(config, flink_version=version).problems] == list(config)


def test_a_number_of_milliseconds_is_told_to_be_one() -> None:
    prepared = prepare_config({"execution.checkpointing.interval": "10"}, flink_version="2.3.0")
    assert prepared.notes == ("'execution.checkpointing.interval: 10' has no unit: Flink takes it as 10 milliseconds.",)


def test_a_name_that_nearly_is_one_of_flinks_is_asked_about() -> None:
    prepared = prepare_config({"execution.checkpointing.intervall": "10s"}, flink_version="2.3.0")
    assert prepared.config == {"execution.checkpointing.intervall": "10s"}
    assert prepared.notes == (
        "'execution.checkpointing.intervall' is no option of Flink's that scurry knows; "
        "did you mean 'execution.checkpointing.interval'?",
    )


def test_secrets_pass_through_unseen() -> None:
    secret = SecretRef(source="env", name="X")
    prepared = prepare_config({"execution.checkpointing.interval": secret}, flink_version="2.3.0")
    assert prepared == PreparedConfig(config={"execution.checkpointing.interval": secret})


def test_all_problems_are_told_in_the_order_of_the_configuration() -> None:
    config = {"rest.port": "1", "execution.checkpointing.mode": "x", "pipeline.name": "y"}
    assert [problem.key for problem in prepare_config(config, flink_version="2.3.0").problems] == list(config)


def test_no_option_is_listed_under_two_types_or_under_a_name_that_it_no_longer_has() -> None:
    lists = (table.FLAGS, table.WHOLE_NUMBERS, table.DECIMALS, table.DURATIONS, table.MEMORY_SIZES, table.TEXTS)
    keys = [key for text in lists for key in text.split()]
    keys += [line.split()[0] for line in table.CHOICES.replace("\n ", " ").strip().splitlines()]
    assert len(keys) == len(set(keys))
    assert not set(keys) & {spelling for _, _, *before in RENAMED for spelling in before}


@given(
    st.dictionaries(
        st.sampled_from([spelling for _, *spellings in RENAMED for spelling in spellings]), st.sampled_from(["a", "b"])
    ),
    st.sampled_from(["1.18.1", "1.20.5", "2.3.0"]),
)
def test_no_setting_is_lost_and_none_is_set_twice(config: dict[str, str], version: str) -> None:
    prepared = prepare_config(config, flink_version=version)
    names = {key: option_name(key, flink_version=version) for key in config}
    assert set(prepared.config) == set(names.values())
    conflicts = {name for name in names.values() if len({config[key] for key in config if names[key] == name}) > 1}
    told = {names[problem.key] for problem in prepared.problems if "same option" in problem.message}
    assert told == conflicts
