"""What every listener shares: line cutting, TLS, processes, limits, logging."""
