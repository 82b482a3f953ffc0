"""The contracted work: one task family, one interface."""
