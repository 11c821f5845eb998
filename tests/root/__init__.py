"""What only root can show: many uids, reserved ports, homes that hang (make test-root)."""
