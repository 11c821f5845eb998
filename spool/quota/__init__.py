"""How much mail a user may have: limits, the figure of what is there, and mailboxes that keep to them."""
