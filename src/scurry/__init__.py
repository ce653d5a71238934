"""scurry ships Apache Flink applications and looks after them.

`scurry.workspace.Workspace` is the library's front door; `scurry.model` holds what things are.
Nothing is imported here, so that `scurry --version` stays fast.
"""

__version__ = "0.1.0"
