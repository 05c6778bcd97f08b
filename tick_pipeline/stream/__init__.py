"""The stream of tick records: the port, and its adapters."""
