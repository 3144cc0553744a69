"""The store of verdicts, and deltas against the base."""
