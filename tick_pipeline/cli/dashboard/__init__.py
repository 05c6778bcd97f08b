"""The dashboard in a terminal: what is looked at, how often, and how it is laid out."""
