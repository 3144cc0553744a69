"""Results: the store, deltas, reruns, the record of a run, listing and pruning."""
