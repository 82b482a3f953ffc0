"""The groups of the command ``custody``, one module each; ``cli`` puts them together."""
