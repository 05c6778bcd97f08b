"""What the Dagster definitions share: partitions, metadata, which failures are retried, the local instance."""
