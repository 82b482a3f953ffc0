"""The search for copies of personal values in everything that an installation writes."""
