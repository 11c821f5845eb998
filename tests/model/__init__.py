"""Random histories of deliveries, sessions and foreign programs, played against a list."""
