"""The local delivery loop: buffer, convert, partition by event hour, keep what cannot be converted."""
