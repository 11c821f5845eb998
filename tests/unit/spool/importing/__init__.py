"""Tests of spool/importing, one module each."""
