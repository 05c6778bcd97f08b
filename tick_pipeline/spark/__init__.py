"""What runs on Spark, on a laptop as on Glue; imports nothing that Glue does not have."""
