"""Tests of ``accounts``."""
