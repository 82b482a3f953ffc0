"""Processes that are killed at any step, and what a second run makes of it."""
