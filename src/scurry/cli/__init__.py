"""Floor 4: the command line. Parses, calls the workspace, renders. No decisions."""
