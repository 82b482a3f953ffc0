"""Outbound calls on record, and what is odd about them."""
