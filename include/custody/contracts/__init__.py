"""Contracts: whose orders we may pull, and for which tasks."""
