"""Where kernel trees come from: one file a kind of source."""
