"""Renderings of what was found: terminal, HTML, JSON, JUnit, TAP, mail."""
