"""The Twisted shell of the POP3 service: carries out the steps that popd.pop3 asks for."""
