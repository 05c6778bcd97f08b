"""Jobs, schedules and what watches the whole."""
