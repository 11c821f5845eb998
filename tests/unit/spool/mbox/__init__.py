"""Tests of spool/mbox, one module each."""
