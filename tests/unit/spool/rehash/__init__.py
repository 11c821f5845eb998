"""Tests of ``spool.rehash``."""
