"""The POP3 protocol as pure code: octets to commands, commands to steps. No socket, clock, file or Twisted."""
