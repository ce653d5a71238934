"""The Flink versions that the tests run on."""

FLINK_VERSIONS = ("1.20.5", "2.3.0")
