"""When data has to go, and the procedure that makes it go."""
