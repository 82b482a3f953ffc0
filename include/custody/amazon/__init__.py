"""All that is said to Amazon: tokens, quota, orders, shipments, over one guarded transport."""
