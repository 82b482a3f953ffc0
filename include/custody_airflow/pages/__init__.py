"""Pages that the API server shows in Airflow's menu; ``plugins/custody_plugin.py`` registers them."""
