"""SASL mechanisms, server side, as pure state machines (RFC 4422)."""
