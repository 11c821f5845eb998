"""The delivery agent: who controls an address, what their instructions say, and carrying it out. No Twisted."""
