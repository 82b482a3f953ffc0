"""Declared events: what went wrong or is about to, written down once by its cause."""
