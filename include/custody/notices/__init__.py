"""Messages that are owed to somebody by a time: written down, decided, and delivered."""
