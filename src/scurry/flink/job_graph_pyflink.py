"""A program of its own, run by an application's Python: runs its script, then asks its functions for their states.

Run as `job_graph_pyflink.py STATES SCRIPT ARGUMENT…` by PyFlink's driver, when `JobGraphs` asks a PyFlink program for
its job graph: execute() starts nothing. What state Python functions keep is only known from what they say to their
runtime context when they are opened. So each is opened here with a context that listens; what it says goes to the file
STATES as JSON: by node of the graph, a list of functions. Runs on Python 3.7 and later; imports nothing of scurry.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
import time
import traceback
import types
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_PATIENCE_S = 5.0
"""for all functions together; one that connects to somewhere would keep the answer up"""
_LISTS, _MAPS = "list", "map"


def main(states: str, script: str, arguments: list[str]) -> int:
    """Run the script, then write what states there are. Returns the exit code."""
    code = _run(script, arguments)
    try:
        found = _functions()
    except Exception as error:
        found = {"-1": [{"states": [], "unknown": f"the functions cannot be read: {_in_short(error)}"}]}
    with open(states, "w", encoding="utf-8") as file:
        json.dump(found, file)
    return code


def _run(script: str, arguments: list[str]) -> int:
    sys.argv = [script, *arguments]
    sys.path[0] = os.path.dirname(os.path.abspath(script))
    # A module of the name `__main__`: only then are its functions pickled by value, as in a real run.
    module = types.ModuleType("__main__")
    module.__file__ = script
    sys.modules["__main__"] = module
    try:
        with open(script, "rb") as file:
            code = compile(file.read(), script, "exec")
        exec(code, module.__dict__)
    except SystemExit as ended:
        if ended.code is None or isinstance(ended.code, int):
            return ended.code or 0
        print(ended.code, file=sys.stderr)
        return 1
    except BaseException as error:
        frames = error.__traceback__.tb_next if error.__traceback__ else None
        traceback.print_exception(type(error), error, frames)
        return 1
    return 0


def _functions() -> dict[str, list[dict[str, Any]]]:
    gateway = importlib.import_module("pyflink.java_gateway").get_gateway()
    ours = gateway.jvm.io.scurry.PythonFunctions
    parameters = dict(ours.jobParameters())
    found: dict[str, list[dict[str, Any]]] = {}
    waiting = []
    for node, kind, pickled, embedded in ours.all():
        told: dict[str, Any] = {"states": [], "unknown": None, "embedded": bool(embedded)}
        found.setdefault(str(node), []).append(told)
        thread = threading.Thread(target=_ask, args=(int(kind), bytes(pickled or b""), parameters, told), daemon=True)
        thread.start()
        waiting.append((thread, told))
    deadline = time.monotonic() + _PATIENCE_S
    for thread, told in waiting:
        thread.join(max(deadline - time.monotonic(), 0))
        if thread.is_alive():
            told["unknown"] = "its open() takes too long"
    return {node: [dict(told) for told in functions] for node, functions in found.items()}


def _ask(kind: int, pickled: bytes, parameters: dict[str, str], told: dict[str, Any]) -> None:
    try:
        kinds = importlib.import_module("pyflink.fn_execution.flink_fn_execution_pb2").UserDefinedDataStreamFunction
        if not pickled or kind == kinds.REVISE_OUTPUT:
            return
        function = importlib.import_module("cloudpickle").loads(pickled)
        told["name"] = _name(function)
        context = _context(parameters, told["states"])
        if kind == kinds.WINDOW:
            context.heard(function.window_state_descriptor)
            function = function.internal_window_function
            told["unknown"] = "triggers and window functions register further states when elements arrive"
        if hasattr(function, "open"):
            function.open(context)
        keyed = kind in (kinds.KEYED_PROCESS, kinds.KEYED_CO_PROCESS)
        if keyed and not told["states"]:
            told["unknown"] = "it registers no state in open(); what it does later cannot be known"
        if kind in _broadcasting(kinds):
            told["unknown"] = "its broadcast states are not recorded"
    except BaseException as error:
        told["unknown"] = f"its open() failed: {_in_short(error)}"


def _broadcasting(kinds: Any) -> list[int]:
    names = ("CO_BROADCAST_PROCESS", "KEYED_CO_BROADCAST_PROCESS")
    return [getattr(kinds, name) for name in names if hasattr(kinds, name)]


def _context(parameters: dict[str, str], states: list[dict[str, Any]]) -> Any:
    """Return a runtime context that writes down what state it is asked for."""

    def heard(descriptor: Any) -> Any:
        states.append(_state(descriptor))
        return _Silent()

    def asked(self: Any, descriptor: Any) -> Any:
        return heard(descriptor)

    # PyFlink's own functions ask for `_in_batch_execution_mode`.
    known: dict[str, Any] = {"_in_batch_execution_mode": False, "__abstractmethods__": frozenset()}
    names = ("get_state", "get_list_state", "get_map_state", "get_reducing_state", "get_aggregating_state")
    answers: dict[str, Callable[..., Any]] = dict.fromkeys(names, asked)
    answers["get_task_name"] = lambda self: "task"
    answers["get_task_name_with_subtasks"] = lambda self: "task (1/1)"
    answers["get_number_of_parallel_subtasks"] = lambda self: 1
    answers["get_max_number_of_parallel_subtasks"] = lambda self: 128
    answers["get_index_of_this_subtask"] = lambda self: 0
    answers["get_attempt_number"] = lambda self: 0
    answers["get_job_parameter"] = lambda self, key, default_value: parameters.get(key, default_value)
    answers["get_metrics_group"] = lambda self: _Silent()
    base = importlib.import_module("pyflink.datastream").RuntimeContext
    listening = type("Listening", (base,), {**known, **answers, "heard": staticmethod(heard)})
    return listening()


class _Silent:
    """A state, or a metric: takes every call and says nothing."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *_, **__: _Silent()


def _state(descriptor: Any) -> dict[str, Any]:
    kind = type(descriptor).__name__.replace("StateDescriptor", "").lower()
    info = descriptor.type_info
    return {
        "name": descriptor.name,
        "kind": kind,
        "type": _type(_element(info) if kind == _LISTS else info),
        "ttl": getattr(descriptor, "_ttl_config", None) is not None,
    }


def _type(info: Any) -> dict[str, Any]:
    """Describe a type information: its text, and its parts with their names, where it has any."""
    made_of, names = _parts(info)
    parts = [_type(part) for part in made_of]
    name = _type_name(info)
    if parts:
        shown = [
            part["text"] if names[index] is None else f"{names[index]} {part['text']}"
            for index, part in enumerate(parts)
        ]
        name = f"{name}<{', '.join(shown)}>"
    return {"text": name, "class": type(info).__name__, "parts": parts, "names": names}


def _parts(info: Any) -> Any:
    kind = type(info).__name__
    if kind in ("RowTypeInfo", "TupleTypeInfo"):
        types_of: list[Any] = list(info._field_types)
        given: list[str] | None = getattr(info, "_field_names", None)
        if kind == "TupleTypeInfo":
            return types_of, [None] * len(types_of)
        return types_of, list(given) if given else [f"f{index}" for index in range(len(types_of))]
    if kind == "MapTypeInfo":
        return [info._key_type_info, info._value_type_info], [None, None]
    element = _element(info)
    return ([element], [None]) if element is not None else ([], [])


def _element(info: Any) -> Any:
    names = ("elem_type", "_element_type", "_type_info")
    return next((getattr(info, name) for name in names if hasattr(info, name)), None)


def _type_name(info: Any) -> str:
    # `BasicTypeInfo` with BasicType.LONG → LONG; `RowTypeInfo` → ROW; `PickledBytesTypeInfo` → PICKLED_BYTES
    for name in ("_basic_type", "_time_type"):
        if hasattr(info, name):
            return str(getattr(info, name).name)
    stem = type(info).__name__.replace("TypeInfo", "") or type(info).__name__
    return "".join("_" + c if c.isupper() and index else c for index, c in enumerate(stem)).upper()


def _name(function: Any) -> str:
    name = type(function).__name__
    return "the window" if name == "WindowOperationDescriptor" else name


def _in_short(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__


if __name__ == "__main__":
    _code = main(sys.argv[1], sys.argv[2], sys.argv[3:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(_code)  # threads that functions have started in open() would go on
