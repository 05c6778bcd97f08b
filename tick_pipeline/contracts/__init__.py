"""One JSON file per record type: the one source of every schema, rule and table in the documentation."""
