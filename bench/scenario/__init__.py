"""The case study's scenario: one message to 2,000 users in 8 domains, some of whom hang."""
