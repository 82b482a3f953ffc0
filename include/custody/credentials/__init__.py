"""Credentials in custody: what there is, who reads it and why, whose it is, and what is lost."""
