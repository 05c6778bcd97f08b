"""Entry scripts of the Spark jobs."""
