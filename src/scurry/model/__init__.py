"""Floor 1: what things are. Frozen types, ports and errors; no I/O, no clock.

The nouns of the data flow have a module each; `ports` holds what the engine needs from outside.
"""
