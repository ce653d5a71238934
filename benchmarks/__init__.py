"""Measured claims, each a ratio against the rival in the same run: `python -m benchmarks [NAME…]`. Not tests."""
