"""Faults while kpt works: killed at random moments, full disks, read-only places, clocks that jump, two at once.

`python -m tests.stress` says how many it injected and what was lost; tests/cli/test_stress.py runs some of them.
"""
