"""From a wish to the question that its program is asked: what the REST target would submit, run apart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scurry.artifacts.store import ArtifactStore
from scurry.assembly import LocalSecrets
from scurry.flink.java_asking import FILES
from scurry.flink.job_graph_answer import ProgramFailed
from scurry.model.desired import Artifact, ArtifactKind, Desired
from scurry.model.errors import SecretMissing
from scurry.model.reporting import SilentReporter
from scurry.model.values import SecretRef
from scurry.targets.job_graphs import Asking, graph_request, wished_graph
from tests.flink.graphs import SHOP
from tests.targets.probe import jar_of
from tests.versions import FLINK_VERSIONS

if TYPE_CHECKING:
    from scurry.flink.runtimes import Runtimes

pytestmark = pytest.mark.flink
VERSION = FLINK_VERSIONS[-1]


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "artifacts")


@pytest.fixture
def artifact(store: ArtifactStore, runtimes: Runtimes) -> Artifact:
    return store.put_file(jar_of(SHOP, runtimes, VERSION), ArtifactKind.JAR)


def asking(tmp_path: Path, runtimes: Runtimes, store: ArtifactStore, **more: object) -> Asking:
    secrets = LocalSecrets(tmp_path, {"SHOP_KEY": "hunter2"})
    given = {"secrets": secrets, "artifacts": store, "runtimes": runtimes, "reporter": SilentReporter(), **more}
    return Asking(**given)  # type: ignore[arg-type]


def wish(artifact: Artifact, *arguments: str | SecretRef, **more: object) -> Desired:
    return Desired(
        application="shop",
        target="local",
        flink_version=VERSION,
        artifact=artifact,
        args=arguments,
        **more,  # type: ignore[arg-type]
    )


SECRET = SecretRef(source="env", name="SHOP_KEY")


def test_the_question_is_what_would_be_submitted(
    tmp_path: Path, runtimes: Runtimes, store: ArtifactStore, artifact: Artifact
) -> None:
    desired = wish(
        artifact, "a", SECRET, parallelism=3, config={"state.backend.type": "rocksdb", "s3.secret-key": SECRET}
    )
    cluster = {
        "state.backend.type": "hashmap",
        "execution.checkpointing.interval": "10s",
        "jobmanager.rpc.address": "10.0.0.1",
        "io.tmp.dirs": "/nowhere",
        "env.java.opts.all": "-Xmx1g",
    }
    request = graph_request(desired, asking(tmp_path, runtimes, store, cluster=cluster))
    assert request.jar == store.path(artifact)
    assert request.arguments == ("a", "hunter2")
    assert request.parallelism == 3
    assert request.config == {
        "state.backend.type": "rocksdb",
        "execution.checkpointing.interval": "10s",
        "s3.secret-key": "hunter2",
        "pipeline.name": "shop",
        "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
    }
    assert request.conceal == ("hunter2",)
    assert "hunter2" not in repr(request)


def test_properties_are_a_file_that_only_the_program_has(
    tmp_path: Path, runtimes: Runtimes, store: ArtifactStore, artifact: Artifact
) -> None:
    desired = wish(artifact, properties={"shop": {"tax": "19", "key": SECRET}})
    request = graph_request(desired, asking(tmp_path, runtimes, store))
    path = request.config["scurry.application-properties"]
    assert path == f"{FILES}/application_properties.json"
    assert json.loads(request.files["application_properties.json"]) == [
        {"PropertyGroupId": "shop", "PropertyMap": {"tax": "19", "key": "hunter2"}}
    ]
    assert "shop.tax" in request.config["pipeline.global-job-parameters"]
    assert "hunter2" not in request.config["pipeline.global-job-parameters"]
    assert [path.name for path in tmp_path.iterdir()] == ["artifacts"]


def test_a_secret_that_is_missing_is_told_before_anything_runs(
    tmp_path: Path, runtimes: Runtimes, store: ArtifactStore, artifact: Artifact
) -> None:
    with pytest.raises(SecretMissing, match="NOWHERE"):
        graph_request(wish(artifact, SecretRef(source="env", name="NOWHERE")), asking(tmp_path, runtimes, store))


def test_a_wish_has_a_graph(tmp_path: Path, runtimes: Runtimes, store: ArtifactStore, artifact: Artifact) -> None:
    desired = wish(artifact, "looks-around", properties={"shop": {"tax": "19", "key": SECRET}})
    graph = wished_graph(desired, asking(tmp_path, runtimes, store)).graph
    (told,) = (operator.name for operator in graph.operators if operator.name.startswith("files="))
    assert '"PropertyMap":{"tax":"19","key":"hunter2"}' in told
    assert told.endswith("parameters={shop.tax=19}")


def test_a_secret_is_in_no_error(tmp_path: Path, runtimes: Runtimes, store: ArtifactStore, artifact: Artifact) -> None:
    with pytest.raises(ProgramFailed) as caught:
        wished_graph(wish(artifact, "throws", SECRET), asking(tmp_path, runtimes, store))
    assert caught.value.message == "IOException: file of •••"
    assert "hunter2" not in caught.value.cause
