"""Fuzzing of the readers: any bytes give a result or one line of error, within bounded time and memory.

`python -m tests.fuzz --seconds 60 --seed 1` tries inputs and prints what it found; tests/corpus/ keeps the small inputs
that once failed, which tests/unit/test_corpus.py replays. A new reader is a row of targets.TARGETS.
"""
