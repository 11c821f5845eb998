"""Tests of spool/carrying, one module each."""
