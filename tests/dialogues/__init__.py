"""POP3 sessions as text: what the client says, what the server answers, the examples of the RFCs among them."""
