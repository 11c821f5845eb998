"""Run the sample site (make demo)."""
