"""Configuration, toolchain compatibility, make, and the diagnostics read from its log."""
