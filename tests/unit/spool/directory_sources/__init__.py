"""Tests of ``spool.directory_sources``."""
