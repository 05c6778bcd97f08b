"""What upkeep does to the tables, decided without I/O."""
