"""Unit tests of ``spool``, one module for each of its modules."""
