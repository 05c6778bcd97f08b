"""What Dagster loads, by stage of a tick's life; thin: windows, ports and metadata come from elsewhere."""
