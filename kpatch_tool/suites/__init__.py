"""kvm-unit-tests, the tree's selftests and kpt's own suite: what to run, how to read what they print."""
