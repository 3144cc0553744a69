"""Which patch needs which, and why."""
