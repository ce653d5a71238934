"""Floor 2: verbs. Pure decisions, and the executor that carries them out through the ports."""
