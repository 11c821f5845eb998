"""The Twisted shell of the mail service: carries out what ``mta.smtp`` asks for."""
