"""Any request gets an answer of the wire: properties that hold for all bodies."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from scurry.emulator.errors import ServiceError
from scurry.emulator.protocol import service_model
from scurry.emulator.validation import check

JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats(allow_nan=False) | some.text(max_size=8),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
CREATE = service_model().operation_model("CreateApplication").input_shape
MEMBERS = some.sampled_from(["ApplicationName", "RuntimeEnvironment", "ServiceExecutionRole", "Tags"])


@given(some.dictionaries(MEMBERS, JSON) | JSON)
def test_whatever_comes_is_taken_or_refused_by_a_class_of_the_wire(body: Any) -> None:
    code = None
    try:
        check(CREATE, body)
    except ServiceError as error:
        code = error.code
    assert code in {None, "ValidationException", "SerializationException"}
    assert code or body["ApplicationName"]


def test_all_that_is_wrong_is_told_at_once() -> None:
    request = {"ApplicationName": "a b", "RuntimeEnvironment": "X", "ServiceExecutionRole": "me"}
    with pytest.raises(ServiceError, match="3 validation errors detected") as error:
        check(CREATE, request)
    assert "Value 'a b' at 'applicationName' failed to satisfy constraint" in error.value.message


def test_blobs_are_decoded_and_strange_members_left_out() -> None:
    shape = CREATE.members["ApplicationConfiguration"].members["ApplicationCodeConfiguration"]
    found = check(shape, {"CodeContentType": "ZIPFILE", "CodeContent": {"ZipFileContent": "UEs="}, "Strange": 1})
    assert found == {"CodeContentType": "ZIPFILE", "CodeContent": {"ZipFileContent": b"PK"}}
    with pytest.raises(ServiceError, match="not base64"):
        check(shape, {"CodeContentType": "ZIPFILE", "CodeContent": {"ZipFileContent": "***"}})
