"""The comparison report: both storage modes measured on this data, and the page that shows it."""
