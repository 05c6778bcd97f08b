"""What the pipeline needs and costs on AWS: capacity and prices, computed without I/O."""
