"""Claims that hold both storage modes against each other."""
