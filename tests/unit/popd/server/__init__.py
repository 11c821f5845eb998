"""Tests of popd.server, one module each; ``fakes`` holds what they share."""
