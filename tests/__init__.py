"""Tests of Custody; they mirror the packages under ``include``."""
