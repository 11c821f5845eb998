"""Tests of the delivery agent, one module for each of its modules."""
