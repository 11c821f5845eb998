"""Real clients and real peers against a running service (make interop)."""
