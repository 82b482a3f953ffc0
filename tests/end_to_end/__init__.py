"""Whole installations: the three DAGs on a real Airflow, and the demo as a newcomer starts it."""
