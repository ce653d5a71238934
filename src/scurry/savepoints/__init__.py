"""Floor 2: what state a snapshot holds, read from its bytes without a JVM."""
