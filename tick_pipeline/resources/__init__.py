"""One file per port, its adapters in it."""
