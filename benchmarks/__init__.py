"""Measured claims, each a ratio against the rival in the same run. `python -m benchmarks [NAME…]`; never part of the tests."""
