"""Tests of the POP3 service."""
