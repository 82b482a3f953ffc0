"""Signed proof of a purge, and its verification by anyone."""
