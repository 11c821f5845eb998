"""Tests of spool.foreign_ids, module by module."""
