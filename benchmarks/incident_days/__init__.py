"""Days of incidents on a simulated clock, watched by a process that is killed again and again."""
