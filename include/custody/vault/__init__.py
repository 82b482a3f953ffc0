"""Sealing: keys, envelopes, and the only door through which a record is opened."""
