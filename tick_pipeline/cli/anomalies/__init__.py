"""`anomalies`: ticks far from their baseline, by batch and by stream, and how good that is."""
