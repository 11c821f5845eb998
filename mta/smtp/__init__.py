"""The protocol as pure code: octets in, steps out. It knows no socket, clock, file or Twisted."""
