"""The glue between Airflow and Custody: the only code that knows both."""
