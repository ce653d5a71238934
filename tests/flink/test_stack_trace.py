"""Flink's stack traces, as 1.20 and 2.3 write them, become one line that a person can act on."""

from __future__ import annotations

import pytest

from scurry.flink.stack_trace import explain, parse

FRAMES = """
\tat org.apache.flink.client.program.PackagedProgram.callMainMethod(PackagedProgram.java:372)
\tat java.base/java.lang.Thread.run(Thread.java:840)
\tat org.apache.flink.runtime.rpc.pekko.PekkoRpcActor.lambda$handleRpcInvocation$1(PekkoRpcActor.java:318)
"""


def trace(*causes: str) -> str:
    """Write causes as Java does, with frames."""
    first, *others = causes
    return first + FRAMES + "".join(f"Caused by: {cause}{FRAMES}\t... 12 more\n" for cause in others)


SUBMITTING = (
    "org.apache.flink.runtime.rest.handler.RestHandlerException: Could not execute application.",
    "java.util.concurrent.CompletionException: a.b.FlinkRuntimeException: Could not execute application.",
    "a.b.FlinkRuntimeException: Could not execute application.",
)
NO_FACTORY = (
    "org.apache.flink.table.api.ValidationException: Could not find any factory for identifier '{name}' that implements"
    " '{kind}' in the classpath.\n\nAvailable factory identifiers are:\n\nblackhole\ndatagen\nprint"
)


@pytest.mark.parametrize(
    ("causes", "message", "hint"),
    [
        (
            (*SUBMITTING, "java.lang.IllegalStateException: the table is\nnot there"),
            "IllegalStateException: the table is",
            None,
        ),
        (
            ("org.apache.flink.client.program.ProgramInvocationException: The main method caused an error: null",
             "java.lang.NullPointerException"),
            "NullPointerException, in: ProgramInvocationException: The main method caused an error: null",
            None,
        ),
        (
            ("java.util.concurrent.CompletionException: org.apache.flink.client.program.ProgramInvocationException: "
             "The program's entry point class 'com.example.Main' was not found in the jar file.",
             "org.apache.flink.client.program.ProgramInvocationException: "
             "The program's entry point class 'com.example.Main' was not found in the jar file.",
             "java.lang.ClassNotFoundException: com.example.Main"),
            "no main class 'com.example.Main' in the jar",
            "main_class",
        ),
        (
            ("org.apache.flink.client.program.ProgramInvocationException: "
             "Neither a 'Main-Class', nor a 'program-class' entry was found in the jar file.",),
            "the jar does not say which class to run",
            "main_class",
        ),
        (
            (*SUBMITTING, NO_FACTORY.format(name="kafka", kind="org.apache.flink.table.factories.DynamicTableFactory")),
            "no connector 'kafka' is there, only: blackhole, datagen, print",
            "connectors",
        ),
        (
            ("java.lang.RuntimeException: scurry-sql-error statement=3\n"
             + NO_FACTORY.format(name="kafka", kind="org.apache.flink.table.factories.DynamicTableFactory")
             + "\nscurry-sql-error end",),
            "no connector 'kafka' is there, only: blackhole, datagen, print",
            "connectors",
        ),
        (
            ("java.lang.RuntimeException: scurry-sql-error statement=2\nFailed to execute sql\n"
             "scurry-sql-error cause\nNot allowed configuration change(s) were detected:\n - Configuration a:1 not"
             " allowed.\nscurry-sql-error end",),
            "Not allowed configuration change(s) were detected: - Configuration a:1 not allowed.",
            None,
        ),
        (
            ("java.lang.RuntimeException: scurry-sql-error statement=0\nFailed\nscurry-sql-error cause\n"
             "Cannot instantiate 'f'.\nscurry-sql-error cause\norg.example.Missing\nscurry-sql-error end",),
            "Cannot instantiate 'f': org.example.Missing",
            None,
        ),
        (
            ("java.lang.RuntimeException: scurry-sql-error statement=0 line=3 column=1\nNo column 'x'.\n"
             "scurry-sql-error end",),
            "No column 'x'.",
            None,
        ),
        (
            (*SUBMITTING,
             NO_FACTORY.format(name="avro", kind="org.apache.flink.table.factories.DeserializationFormatFactory")),
            "nothing called 'avro' is there (DeserializationFormatFactory), only: blackhole, datagen, print",
            "format",
        ),
        (
            ("org.apache.flink.runtime.jobmanager.scheduler.NoResourceAvailableException: "
             "Could not acquire the minimum required resources.",),
            "not enough free slots: Could not acquire the minimum required resources.",
            "parallelism",
        ),
        (
            ("org.apache.flink.runtime.client.JobInitializationException: Could not start the JobMaster.",
             "java.lang.IllegalStateException: Failed to rollback to checkpoint/savepoint file:/sp/savepoint-1. Cannot"
             " map checkpoint/savepoint state for operator 6d2677a0 to the new program, because the operator is not"
             " available in the new program. If you want to allow to skip this, you can set the"
             " --allowNonRestoredState option on the CLI."),
            "the state of operator '6d2677a0' in file:/sp/savepoint-1 fits no operator of the new program",
            "allow_non_restored_state",
        ),
        (
            ("java.io.FileNotFoundException: Cannot find checkpoint or savepoint file/directory '/nope' on file system"
             " 'file'.",),
            "there is no checkpoint or savepoint at '/nope', as Flink sees it",
            "readable",
        ),
        (
            ("org.apache.flink.core.fs.UnsupportedFileSystemSchemeException: Could not find a file system"
             " implementation for scheme 's3'. The scheme is supported through a plugin.",),
            "this Flink has no file system for 's3'",
            "plugin",
        ),
        (
            ("java.lang.UnsupportedClassVersionError: com/example/Main has been compiled by a more recent version of"
             " the Java Runtime (class file version 65.0), this version of the Java Runtime only recognizes class file"
             " versions up to 61.0",),
            "the jar was compiled for a newer Java than Flink runs on (class file version 65.0, 61.0 at most)",
            "--release",
        ),
        (
            ("java.lang.NoClassDefFoundError: org/apache/kafka/clients/consumer/OffsetResetStrategy",
             "java.lang.ClassNotFoundException: org.apache.kafka.clients.consumer.OffsetResetStrategy"),
            "class 'org.apache.kafka.clients.consumer.OffsetResetStrategy' is neither in the jar nor in Flink",
            "connectors",
        ),
        (
            ("org.apache.flink.table.api.ValidationException: SQL validation failed. From line 1, column 8 to line 1,"
             " column 10: Column 'abc' not found in any table",
             "org.apache.calcite.sql.validate.SqlValidatorException: Column 'abc' not found in any table"),
            "SQL validation failed. From line 1, column 8 to line 1, column 10: Column 'abc' not found in any table",
            None,
        ),
        (
            ("org.apache.flink.client.program.ProgramInvocationException: The program caused an error: \n\nSystem.out:"
             ' Traceback (most recent call last):\n  File "/x/main.py", line 7, in <module>\n    boom()\n    ^^^^^^\n'
             "ValueError: python says no\n\n\nSystem.err: (none)",
             "org.apache.flink.client.program.ProgramAbortException: java.lang.RuntimeException: Python process exits"
             " with code: 1",
             "java.lang.RuntimeException: Python process exits with code: 1"),
            "Python: ValueError: python says no",
            None,
        ),
        (
            ("java.lang.RuntimeException: Error received from SDK harness for instruction 1: Traceback (most recent"
             ' call last):\n  File "a.py", line 1, in f\n    1/0\nZeroDivisionError: division by zero\n\nDuring'
             " handling of the above exception, another exception occurred:\n\nTraceback (most recent call last):\n"
             '  File "b.py", line 2, in g\nKeyError: \'airline\'\n',),
            "Python: KeyError: 'airline'",
            None,
        ),
        (("Jar upload failed.",), "Jar upload failed.", None),
        (
            ("org.apache.flink.runtime.checkpoint.CheckpointException: Checkpoint triggering task Source: a of job"
             " 00 is not being executed at the moment. Aborting checkpoint. Failure reason: Not all required tasks are"
             " currently running.",),
            "not all of its tasks run now, and only all of them can write its state",
            "same command again",
        ),
        (("",), "Flink gave no reason", None),
    ],
)  # fmt: skip
def test_the_line_that_matters_is_found(causes: tuple[str, ...], message: str, hint: str | None) -> None:
    explanation = explain(trace(*causes) if causes[0] else "")
    assert explanation.message == message
    assert (hint in explanation.hint) if hint and explanation.hint else explanation.hint is hint


def test_the_whole_chain_is_kept_without_its_frames() -> None:
    chain = explain(trace("a.b.One: first\nsecond line", "a.b.Two", "a.b.Three: third")).cause
    assert chain == "a.b.One: first\nsecond line\nCaused by: a.b.Two\nCaused by: a.b.Three: third"


def test_wrappers_that_repeat_their_cause_are_told_once() -> None:
    causes = parse(trace("java.util.concurrent.CompletionException: a.b.One: x", "a.b.One: x", "a.b.Two: y"))
    assert [str(cause) for cause in causes] == ["a.b.One: x", "a.b.Two: y"]


def test_suppressed_exceptions_do_not_hide_the_root() -> None:
    text = (
        "a.b.One: x\n\tat a.b.C.d(C.java:1)\n\tSuppressed: a.b.Noise: n\n\t\tat a.b.C.e(C.java:2)\n"
        "\tCaused by: a.b.MoreNoise: m\n\t\t... 3 more\nCaused by: a.b.Root: y\n\t... 4 more\n"
    )
    assert [str(cause) for cause in parse(text)] == ["a.b.One: x", "a.b.Root: y"]


def test_what_the_rest_handler_puts_around_it_is_noise() -> None:
    trace_text = "a.b.One: x\n\tat a.b.C.d(C.java:1)\n"
    text = f"Internal server error.\n<Exception on server side:\n{trace_text}\nEnd of exception on server side>"
    assert [str(cause) for cause in parse(text)] == ["a.b.One: x"]
