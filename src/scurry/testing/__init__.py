"""Floor 4, shipped: the target conformance suite and what tests of scurry applications need."""
