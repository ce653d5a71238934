"""The Flink clusters that scurry runs on this machine for the project: status, stop."""

from scurry.cli.session import new_app

app = new_app("local", "Flink clusters of this project on this machine.")
