"""Amazon Managed Service for Apache Flink on this machine: the service's interface, and a real Flink behind it.

Uses nothing of the control plane but `flink`: what it emulates must not depend on what it is to test.
"""
