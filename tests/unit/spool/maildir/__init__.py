"""Unit tests of ``spool.maildir``."""
