"""Several commands as one: their processes, watched, restarted, and ended together."""
