"""Floor 2: the durable truth about revisions, operations, steps and leases."""
