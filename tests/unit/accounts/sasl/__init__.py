"""Tests of ``accounts.sasl``."""
