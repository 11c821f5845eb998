"""Who may log in: credentials, password schemes, SASL mechanisms, throttling. Blocking code; knows no Twisted."""
