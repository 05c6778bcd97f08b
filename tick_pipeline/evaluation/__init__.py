"""How good the anomalies are: simulated markets whose injected events are known, scored and counted."""
