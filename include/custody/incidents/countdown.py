"""How long something has, in words: what a person reads at three in the morning."""

from datetime import datetime, timedelta


def countdown(due_at: datetime, now: datetime) -> str:
    """Say how much time is left, or by how much it is over, rounded down to what matters."""
    if now > due_at:
        return f"overdue by {span(now - due_at)}"
    return f"{span(due_at - now)} left"


def span(long: timedelta) -> str:
    """Write a span of time with its two largest units; below a minute it says so."""
    minutes = int(long.total_seconds() // 60)
    if minutes < 1:
        return "less than a minute"
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    parts = [f"{days} d" if days else "", f"{hours} h" if hours else "", f"{minutes} min" if minutes else ""]
    return " ".join([each for each in parts if each][:2])
