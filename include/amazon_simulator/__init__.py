"""A stand-in for Amazon (LWA and Orders), good enough to be wrong in all of Amazon's ways.

It knows nothing of ``custody``, and ``custody`` knows nothing of it.
"""
