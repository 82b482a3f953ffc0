"""A whole installation on one machine, below one directory: PostgreSQL, Airflow and what feeds them.

For the demo, the tests and the benchmarks; production runs the same library from docker-compose.yaml.
Nothing in ``custody`` imports it.
"""
