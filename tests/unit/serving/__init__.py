"""Tests of ``serving``: what every listener shares."""
