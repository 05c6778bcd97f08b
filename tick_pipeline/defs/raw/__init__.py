"""Raw: what landed, per hour of the event."""
