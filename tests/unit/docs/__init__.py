"""Tests of the documents: what they show runs, what they link to exists, what they list is complete."""
