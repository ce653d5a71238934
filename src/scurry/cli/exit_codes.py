"""The exit codes. They are an interface; docs/reference/exit-codes.md is made from here."""

DONE, ERROR, USAGE, CHANGES, INTERRUPTED = 0, 1, 2, 3, 130

MEANINGS = {
    DONE: (
        "done",
        "What was asked for is so now. For `plan`, `validate`, `status` and the like: it was found out and shown, "
        "whatever it is.",
    ),
    ERROR: (
        "error",
        "It is not so. Standard error says why and what to do; with `--json`, standard output does. "
        "An `apply` that was rolled back is an error, too: the new revision does not run.",
    ),
    USAGE: ("usage", "The command line itself is wrong: an unknown command or option, a missing argument."),
    CHANGES: (
        "changes",
        "Only `plan --check`: there is something to do. And `state check`: the state fits, and some is dropped, as "
        "allowed.",
    ),
    INTERRUPTED: (
        "interrupted",
        "Ctrl-C. What was done so far is in the journal, and the next `apply` goes on from there.",
    ),
}
"""code → its word and what it says"""
