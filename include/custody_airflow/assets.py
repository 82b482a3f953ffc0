"""The assets by which one DAG wakes the next; their events carry counts only."""

from airflow.sdk import Asset

SEALED_ORDERS = Asset("sealed_orders", group="custody")
COMPLETED_ORDERS = Asset("completed_orders", group="custody")
