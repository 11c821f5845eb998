"""Tests of spool/converting, one module each."""
