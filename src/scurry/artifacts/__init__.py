"""Floor 2: what is run: jars, SQL packages, Python packages, by digest."""
