"""Unit tests of ``spool.quota``."""
