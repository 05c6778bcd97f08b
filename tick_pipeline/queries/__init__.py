"""The project's SQL, in Athena's dialect, and what reads, binds, prunes and translates it."""
