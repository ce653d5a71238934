"""Floor 2: places that run applications. One file each."""
