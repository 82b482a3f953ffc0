"""Keeps Amazon order data no longer than the work needs it, and proves it."""

__version__ = "0.1.0"
