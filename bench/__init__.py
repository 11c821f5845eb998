"""Load generators, peers' set-ups and the comparisons that `make bench` prints."""
