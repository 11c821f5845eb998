"""Tests of ``spool.checking``."""
