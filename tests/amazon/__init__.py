"""Tests of all that is said to Amazon."""
