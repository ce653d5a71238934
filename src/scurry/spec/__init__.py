"""Floor 2: the files that people write, read so that every error knows its file, line and column."""
