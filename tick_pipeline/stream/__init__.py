"""The stream of tick records: the port, and its local adapter."""
