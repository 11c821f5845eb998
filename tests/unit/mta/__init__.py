"""Tests of mail in over the network."""
