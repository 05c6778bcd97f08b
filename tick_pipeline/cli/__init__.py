"""`tick-pipeline`: one module per command group; each imports what it runs only when it runs."""
