"""What Custody adds to Airflow's API server: registration only; see README.md in this folder."""

from airflow.sdk.plugins_manager import AirflowPlugin

from custody_airflow.pages.guarded import URL_PREFIX, application


class CustodyPlugin(AirflowPlugin):
    """The pages of Custody, and their place in the menu."""

    name = "custody"
    fastapi_apps = [{"app": application(), "url_prefix": URL_PREFIX, "name": "custody"}]  # noqa: RUF012  # Airflow's form
    external_views = [  # noqa: RUF012  # Airflow's form
        {
            "name": "Custody",
            "href": f"{URL_PREFIX}/watch",
            "destination": "nav",
            "url_route": "custody-watch",
            "nav_top_level": True,
        }
    ]
