"""Tests of the programs of instruction lines."""
