"""Where ticks come from: simulated scenarios and replayed trade files, encoded and put into the stream."""
