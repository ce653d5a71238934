"""The known failures of an application itself: its state, classes, SQL and Python. Data only."""

from __future__ import annotations

from scurry.engine.failures import Trouble

_APPLY = "When that is done, run:\n  scurry apply FILE"
_LOGS = "To see the logs, run:\n  scurry logs {application}"

_STATE = (
    Trouble(
        id="state-not-mapped",
        title="State that fits no operator",
        seen=(
            r"Cannot map checkpoint/savepoint state for operator (?P<operator>\w+) to the new program",
            r"the state of operator '(?P<operator>\w+)' in \S+ fits no operator of the new program",
        ),
        what="There is state of operator {operator}, and the new program has no such operator.",
        todo=(
            "Was an operator removed, or did its uid change? Give it the uid that it had. If its state may be dropped, "
            f"set `upgrade.allow_non_restored_state`.\n{_APPLY}"
        ),
    ),
    Trouble(
        id="max-parallelism-changed",
        title="Another maximum parallelism than the state has",
        seen=(
            r"Max parallelism mismatch between checkpoint/savepoint state and new program\. Cannot map operator "
            r"(?P<operator>\w+) with max parallelism (?P<old>\d+) to new program with max parallelism (?P<new>\d+)",
        ),
        what="The state of operator {operator} has a maximum parallelism of {old}, and the program sets {new}.",
        todo=f"Set `pipeline.max-parallelism` back to what it was: it cannot change while state is kept.\n{_APPLY}",
    ),
    Trouble(
        id="serializer-incompatible",
        title="State of another type than before",
        seen=(
            r"StateMigrationException: (?P<text>[^\n]*)",
            r"new (?:state|key|namespace) serializer \(.*must (?:not be incompatible|be compatible)",
            r"Unable to restore .*state.*(?:serializer|schema) .*incompatible",
        ),
        what="A type that is kept in state changed, and the state cannot be read with the new one.",
        todo=(
            "Keep the type as it was; or change it by Flink's rules (POJO: fields may be added and removed; Avro: "
            f"compatible schemas), or give the state another name and fill it anew.\n{_APPLY}"
        ),
    ),
    Trouble(
        id="state-unreadable",
        title="State that cannot be read",
        seen=(
            r"KryoException: .*(?:unregistered class ID|Unable to find class|Buffer underflow)",
            r"Could not (?:Java-)?deserialize TypeSerializer",
            r"InvalidClassException: [^\n]*serialVersionUID",
        ),
        what="Bytes of the state are not what the program expects: a class in it changed or is gone.",
        todo=(
            "Bring the class back as it was when the state was written. Types that go through Kryo or Java "
            f"serialization cannot change.\n{_APPLY}"
        ),
    ),
    Trouble(
        id="state-file-missing",
        title="A file of the state is gone",
        seen=(
            r"Cannot find (?:meta data file '_metadata' in directory|checkpoint or savepoint file/directory) "
            r"'(?P<where>[^']*)'",
            r"there is no checkpoint or savepoint at '(?P<where>[^']*)'",
            r"FileNotFoundException: (?:File |Item not found: |No such file or directory: )?"
            r"'?(?P<where>\S*/(?:chk-\d+|shared|taskowned|savepoint-\w+-\w+)/?[^\s']*)'? "
            r"(?:\(No such file|does not exist|on file system)",
        ),
        what="The state at {where} is not there, or Flink's processes cannot see it.",
        todo=(
            "To see which snapshots there are, run:\n  scurry snapshot list {application}\n"
            "To start from another one, run:\n  scurry start {application} --from SNAPSHOT"
        ),
    ),
)

_CODE = (
    Trouble(
        id="main-class-missing",
        title="No such main class",
        decides=True,
        seen=(
            r"entry point class '(?P<name>[^']*)' was not found in the jar file",
            r"no main class '(?P<name>[^']*)' in the jar",
            r"the class '(?P<name>[^']*)', which the spec names, is not in the jar",
            r"Neither a 'Main-Class', nor a 'program-class' entry was found in the jar",
            r"the jar does not say which class to run",
            r"(?:does not have a main\(String\[\]\) method|has no main\(String|has no method `public static void main)",
        ),
        what="The jar has no main class that can be started: {name}",
        todo=f"Set `code.main_class` to the class that starts the program.\n{_APPLY}",
    ),
    Trouble(
        id="compiled-for-newer-java",
        title="Compiled for a newer Java",
        seen=(
            r"UnsupportedClassVersionError: (?P<name>\S+) has been compiled by a more recent version",
            r"the jar was compiled for a newer Java than Flink runs on",
        ),
        what="The jar was compiled for a newer Java than Flink runs on.",
        todo=f"Compile it for an older Java (`--release 11` or `17`), or run Flink on a newer one.\n{_APPLY}",
    ),
    Trouble(
        id="class-missing",
        title="A class is missing",
        seen=(
            r"(?:ClassNotFoundException|NoClassDefFoundError): (?:Could not initialize class )?(?P<name>[\w./$]+)",
            r"class '(?P<name>[\w./$]+)' is neither in the jar nor in Flink",
            r"Cannot load user class: (?P<name>[\w./$]+)",
        ),
        what="The class {name} is neither in the jar nor in Flink.",
        todo=f"Put the dependency into the jar, or add its Maven coordinate to `connectors`.\n{_APPLY}",
    ),
    Trouble(
        id="version-clash",
        title="Two versions of a library",
        seen=(
            r"(?P<kind>NoSuchMethodError|NoSuchFieldError|AbstractMethodError|IncompatibleClassChangeError|"
            r"IllegalAccessError|VerifyError): (?P<name>[^\n]*)",
            r"LinkageError: loader constraint violation(?P<kind>)(?P<name>)",
            r"ClassCastException: (?:class |cannot assign instance of )?(?P<name>[\w.$]+)(?P<kind>) (?:cannot be cast "
            r"to (?:class )?(?P=name)\b|.*to field .* of type )",
        ),
        what="Code runs with another version of a library than it was compiled with: {kind} {name}",
        todo=(
            "Look for a library that is both in the jar and in Flink (or in two versions in the jar), and for a "
            f"connector made for another Flink. Leave it out of the jar, or shade it.\n{_APPLY}"
        ),
    ),
    Trouble(
        id="not-serializable",
        title="A function that cannot be sent to the cluster",
        seen=(
            r"InvalidProgramException: (?P<text>[^\n]*is not serializable[^\n]*)",
            r"NotSerializableException: (?P<text>[^\n]*)",
        ),
        what="A function holds something that cannot be serialized: {text}",
        todo=f"Make that field transient and create it in `open()`.\n{_APPLY}",
    ),
    Trouble(
        id="nothing-to-run",
        title="A program without a job",
        seen=(
            r"No operators defined in streaming topology",
            r"No jobs included in application",
            r"The program didn't contain a Flink job",
            r"The program plan could not be fetched - the program aborted pre-maturely",
        ),
        what="The program ended without having described a job.",
        todo=f"It has to call `execute()`, or an SQL script needs an INSERT.\n{_APPLY}",
    ),
    Trouble(
        id="key-is-null",
        title="A null as a key",
        seen=(
            r"Assigned key must not be null",
            r"No key set\. This method should not be called outside of a keyed context",
        ),
        what="A record's key is null, and keyed state needs one.",
        todo=f"Filter such records, or give them a key of their own.\n{_APPLY}",
    ),
    Trouble(
        id="null-in-not-null",
        title="A null where the table allows none",
        seen=(r"Column '(?P<column>[^']*)' is NOT NULL, however, a null value is being written into it",),
        what="A null is written to column {column}, which is NOT NULL.",
        todo=(
            "Filter such rows, declare the column nullable, or set `table.exec.sink.not-null-enforcer: DROP`.\n"
            f"{_APPLY}"
        ),
    ),
)

_SQL = (
    Trouble(
        id="connector-missing",
        title="No such connector",
        seen=(
            r"Could not find any factory for identifier '(?P<name>[^']*)' that implements"
            r" '[\w.]*\.(?:Dynamic|Catalog)\w*'",
            r"no connector '(?P<name>[^']*)' is there",
            r"Cannot discover a connector using option:? '?(?:connector'?=')?(?P<name>[^'\n]*)",
        ),
        what="There is no connector {name}.",
        todo=f"Add its Maven coordinate to `connectors`, or correct its name in the table's options.\n{_APPLY}",
    ),
    Trouble(
        id="format-missing",
        title="No such format",
        seen=(
            r"Could not find any factory for identifier '(?P<name>[^']*)' that implements",
            r"Could not find any format factory for identifier '(?P<name>[^']*)'",
            r"nothing called '(?P<name>[^']*)' is there",
            r"the format '(?P<name>[^']*)' of the table",
        ),
        what="There is no format {name}.",
        todo=f"Add the Maven coordinate of what brings it to `connectors`, or correct its name.\n{_APPLY}",
    ),
    Trouble(
        id="option-wrong",
        title="An option of a table is wrong",
        seen=(
            r"(?P<text>One or more required options are missing.*)",
            r"(?P<text>Unsupported options found for '[^']*'.*?)(?:Supported options|$)",
            r"(?P<text>(?:unsupported options of '[^']*'|required options are missing): [^\n]*)",
            r"(?P<text>Invalid value for option '[^\n]*)",
        ),
        what="{text}",
        todo=f"Correct the table's options.\n{_APPLY}",
    ),
    Trouble(
        id="sql-invalid",
        title="SQL that means nothing",
        seen=(
            r"ValidationException: (?P<text>[^\n]+)",
            r"(?:SqlParserException|SqlParseException)\w*: (?P<text>[^\n]+)",
            r"CalciteContextException: (?P<text>[^\n]+)",
            r"TableException: (?P<text>[^\n]+)",
            r"SQL (?:validation|parse) failed\. (?P<text>(?!SQL)[^\n]+)",
        ),
        what="Flink does not accept the SQL: {text}",
        todo=f"Correct the script.\n{_APPLY}",
    ),
)

_PYTHON = (
    Trouble(
        id="python-import",
        title="A Python module is missing",
        seen=(
            r"ModuleNotFoundError: No module named '(?P<name>[^']*)'",
            r"ImportError: cannot import name '(?P<name>[^']*)'",
            r"ImportError: (?P<name>[^\n]*)",
        ),
        what="Python does not find {name}.",
        todo=f"Add the package to `code.requirements`, or the file to `code.files`.\n{_APPLY}",
    ),
    Trouble(
        id="python-function",
        title="A Python function failed",
        seen=(
            r"Error received from SDK harness for instruction.*?Traceback \(most recent call last\):\n.*?\n"
            r"(?P<text>[A-Za-z_][\w.]*(?:Error|Exception|Exit|Interrupt)\b[^\n]*)",
            r"Traceback \(most recent call last\):\n(?:[ \t][^\n]*\n)*(?P<text>[A-Za-z_][^\n]*)",
            r"^Python: (?P<text>[^\n]+)",
        ),
        what="A Python function failed: {text}",
        todo=f"Correct the function, or the record that it fails on.\n{_APPLY}",
    ),
    Trouble(
        id="python-worker-died",
        title="A Python worker died",
        seen=(
            r"Process died (?P<how>with exit code -?\d+)",
            r"Python process exits (?P<how>with code:? ?-?\d+)",
            r"Failed to (?:close remote bundle|create stage bundle factory)",
            r"(?:The|the) Python (?:worker|process).* (?:died|exited|terminated)",
        ),
        what="A process that runs Python functions died {how}.",
        todo=(f"Exit code 137 or -9 means that the system killed it, most often for its memory.\n{_LOGS}"),
    ),
)

OF_CODE: tuple[Trouble, ...] = (
    *_STATE,
    *_CODE,
    *_SQL,
    *_PYTHON,
)
