"""How much tenants use: limits kept, numbers reported, and nothing that was counted lost."""
