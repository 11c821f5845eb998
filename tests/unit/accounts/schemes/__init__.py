"""Tests of ``accounts.schemes``."""
