"""A sample site with sample mail: what `make demo` serves and what the tests with real clients read."""
