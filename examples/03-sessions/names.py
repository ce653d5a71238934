"""Uids and names of the operators. Flink finds an operator's state again by its uid: never change one."""

from __future__ import annotations

from typing import NamedTuple


class Operator(NamedTuple):
    """What Flink knows an operator by."""

    uid: str
    """finds its state again after an upgrade; also never give it to another operator"""
    name: str
    """for people, in Flink's UI; free to change"""


WEB_FILES = Operator("web-files", "Files of web visits")
APP_FILES = Operator("app-files", "Files of app visits")
WEB_VISITS = Operator("web-visits", "Web visits")
APP_VISITS = Operator("app-visits", "App visits")
SESSIONS = Operator("sessions", "Sessions by visitor")
SESSION_FILES = Operator("session-files", "Files of sessions")
