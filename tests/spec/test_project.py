"""The project file: found upwards, optional, and as exact about its mistakes as an application's."""

from __future__ import annotations

from datetime import timedelta
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest

from scurry.model.errors import SpecInvalid
from scurry.model.project import JournalPlace, LocalTarget, MemoryTarget, OtherTarget, RestTarget
from scurry.model.values import SecretRef
from scurry.spec.load import load_project
from tests.spec.writing import write


def test_no_file_is_a_project_with_one_local_target(folder: Path) -> None:
    project = load_project(folder)
    assert project.target == "local"
    assert project.all_targets() == {"local": LocalTarget()}
    assert project.root == folder


@pytest.mark.parametrize("content", ["", "# nothing yet\n", "{}\n"])
def test_an_empty_file_is_a_project_with_one_local_target(folder: Path, content: str) -> None:
    write(folder, {"scurry.yaml": content})
    assert load_project(folder).all_targets() == {"local": LocalTarget()}


def test_the_nearest_file_upwards_is_the_project(folder: Path) -> None:
    write(folder, {"scurry.yaml": "name: outer\n", "a/scurry.yaml": "name: inner\n", "a/b/c/x": "", "d/x": ""})
    assert load_project(folder / "a" / "b" / "c").name == "inner"
    assert load_project(folder / "a" / "b" / "c").root == folder / "a"
    assert load_project(folder / "d").name == "outer"


def test_every_setting_is_read(folder: Path) -> None:
    write(
        folder,
        {
            "scurry.yaml": """\
                name: delays
                target: eu
                targets:
                  local:
                    kind: local
                    slots: 4
                    task_managers: 2
                    task_manager_memory: 2g
                    config: {taskmanager: {memory: {managed: {fraction: 0.3}}}}
                    log_level: debug
                    rest_port: 8081
                  eu:
                    kind: rest
                    url: https://flink.example.com/prefix/
                    ca: ca.pem
                    token: {env: TOKEN}
                    headers: {X-Team: delays}
                    savepoints: s3://bucket/savepoints
                    timeouts: {read: 1min, run: 10min}
                  toy: {kind: memory}
                environments: {prod: {target: eu, variables: {a: 1}}}
                repositories:
                  - https://maven.example.com/repository
                  - {url: "https://other.example.com", username: me, password: {env: PW}}
                flink: {2.3.0: /opt/flink, 1.20: "https://example.com/flink.tgz"}
                journal: state/journal.db
                java_home: /opt/java
                """,
        },
    )
    project = load_project(folder)
    local, eu = project.targets["local"], project.targets["eu"]
    assert isinstance(local, LocalTarget)
    assert (local.slots, local.task_managers, local.task_manager_memory) == (4, 2, "2g")
    assert (local.log_level, local.rest_port) == ("DEBUG", 8081)
    assert local.config == {"taskmanager.memory.managed.fraction": "0.3"}
    assert isinstance(eu, RestTarget)
    assert (eu.url, eu.verify, eu.ca) == ("https://flink.example.com/prefix", True, "ca.pem")
    assert eu.token == SecretRef(source="env", name="TOKEN")
    assert (eu.timeouts.connect, eu.timeouts.read) == (timedelta(seconds=5), timedelta(minutes=1))
    assert eu.timeouts.run == timedelta(minutes=10)
    assert isinstance(project.targets["toy"], MemoryTarget)
    assert [repository.url for repository in project.repositories] == [
        "https://maven.example.com/repository",
        "https://other.example.com",
    ]
    assert project.repositories[1].password == SecretRef(source="env", name="PW")
    assert project.flink == {"2.3.0": "/opt/flink", "1.20": "https://example.com/flink.tgz"}
    assert (project.journal, project.java_home) == (JournalPlace(path="state/journal.db"), "/opt/java")


def target(settings: str) -> str:
    return f"targets:\n  a: {{{settings}}}\n"


MISTAKES = [
    ("targtes: {}", "1:1: targtes: the key 'targtes' is not known; did you mean 'targets'?"),
    ("target: nowhere", "1:9: target: the target 'nowhere' is not defined; known: local"),
    (
        "environments: {p: {target: locl}}",
        "1:28: environments.p.target: the target 'locl' is not defined; did you mean 'local'?",
    ),
    (
        target("slots: 1"),
        "2:6: targets.a: 'kind' is missing: local, rest, managed, memory or the name of an installed target",
    ),
    (
        target("kind: loca"),
        "2:13: targets.a.kind: the kind of target 'loca' is not installed; did you mean 'local'?",
    ),
    (target("kind: local, slot: 1"), "2:20: targets.a.slot: the key 'slot' is not known; did you mean 'slots'?"),
    (target("kind: local, slots: many"), "2:27: targets.a.slots: 'many' is not a whole number"),
    (target("kind: local, rest_port: 70000"), "2:31: targets.a.rest_port: 70000 is too large; 65535 is the most"),
    (
        target("kind: local, task_manager_memory: lots"),
        "2:41: targets.a.task_manager_memory: 'lots' is not a memory size; write for example 512m or 2g",
    ),
    (
        target("kind: local, log_level: loud"),
        "2:31: targets.a.log_level: 'loud' is not a log level: TRACE, DEBUG, INFO, WARN, ERROR, OFF",
    ),
    (target("kind: rest"), "2:6: targets.a: 'url' is missing"),
    (
        target("kind: rest, url: flink"),
        "2:24: targets.a.url: 'flink' is not an address; write for example https://flink.example.com:8081",
    ),
    (
        target("kind: rest, url: 'https://f', verfy: false"),
        "2:37: targets.a.verfy: the key 'verfy' is not known; did you mean 'verify'?",
    ),
    (
        target("kind: rest, url: 'https://f', timeouts: {raed: 1s}"),
        "2:48: targets.a.timeouts.raed: the key 'raed' is not known; did you mean 'read'?",
    ),
    (
        target("kind: rest, url: 'https://f', username: me"),
        "2:37: targets.a.username: username needs password, too",
    ),
    (
        target("kind: rest, url: 'https://f', username: me, password: x, token: y"),
        "2:64: targets.a.token: token and username exclude each other; remove one",
    ),
    (target("kind: rest, url: 'https://f', key: k.pem"), "2:37: targets.a.key: key needs cert, too"),
    (
        target("kind: rest, url: 'https://f', ca: c.pem, verify: false"),
        "2:37: targets.a.ca: it means nothing with verify: false, which trusts any certificate",
    ),
    (
        target("kind: rest, url: 'http://f', ca: c.pem"),
        "2:36: targets.a.ca: ca needs an https address, and url is http://f",
    ),
    ("flink: {newest: /opt}", None),
    (
        "repositories: https://maven.example.com",
        "1:15: repositories: a list of Maven repositories belongs here, each an address or {url, username, password}",
    ),
    (
        "repositories: [maven]",
        "1:16: repositories[0]: 'maven' is not an address; write for example https://flink.example.com:8081",
    ),
    (
        "repositories: [{url: 'https://m', username: me}]",
        "1:16: repositories[0]: username and password belong together; one is missing",
    ),
    ("repositories: [{ulr: 'https://m'}]", None),
]


@pytest.mark.parametrize(("text", "expected"), MISTAKES, ids=[text for text, _ in MISTAKES])
def test_each_mistake_has_its_place_and_a_plain_sentence(folder: Path, text: str, expected: str | None) -> None:
    write(folder, {"scurry.yaml": text})
    with pytest.raises(SpecInvalid) as caught:
        load_project(folder)
    told = [str(problem) for problem in caught.value.problems]
    if expected is None:
        assert told == SEVERAL[text]
    else:
        assert told == [f"scurry.yaml:{expected}"]


SEVERAL = {
    "flink: {newest: /opt}": [
        "scurry.yaml:1:9: flink.newest: 'newest' is not a Flink version; "
        'write a series like "2.3" or a release like "2.3.0"'
    ],
    "repositories: [{ulr: 'https://m'}]": [
        "scurry.yaml:1:16: repositories[0]: 'url' is missing",
        "scurry.yaml:1:17: repositories[0].ulr: the key 'ulr' is not known; did you mean 'url'?",
    ],
}


def test_a_target_of_another_package_keeps_its_own_settings(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin = EntryPoint(name="moon", value="moon:connect", group="scurry.targets")
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: EntryPoints([plugin]))
    write(folder, {"scurry.yaml": "targets: {a: {kind: moon, crater: 3, deep: {x: [1]}}}\n"})
    target = load_project(folder).targets["a"]
    assert isinstance(target, OtherTarget)
    assert (target.kind, target.settings) == ("moon", {"crater": 3, "deep": {"x": [1]}})
