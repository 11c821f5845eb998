"""Tests of the pure POP3 core."""
