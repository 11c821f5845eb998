"""Mail in over the network: LMTP (RFC 2033), a dialect of SMTP."""
