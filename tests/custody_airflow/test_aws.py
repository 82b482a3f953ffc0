"""The way to AWS through Airflow's hooks: its connection says where, and every step has it."""

import ast
from pathlib import Path

import pytest

import custody_airflow
from custody_airflow.aws import clients

from ..aws import Aws


@pytest.mark.parametrize("service", ["kms", "secretsmanager", "sqs"])
def test_a_connection_of_airflow_says_where_aws_is(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, service: str
) -> None:
    host = aws.address.replace(":", "%3A").replace("/", "%2F")
    monkeypatch.setenv(
        "AIRFLOW_CONN_CUSTODY_AWS", f"aws://key:value@/?endpoint_url={host}&region_name=eu-west-1"
    )
    made = clients("custody_aws")(service, None)
    assert made.meta.endpoint_url == aws.address
    assert made.meta.region_name == "eu-west-1"
    assert clients("custody_aws")(service, "us-west-2").meta.region_name == "us-west-2"


def test_the_glue_takes_its_house_from_here_so_that_each_step_has_the_hooks() -> None:
    wrong, right = [], 0
    for file in Path(custody_airflow.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and any(each.name == "house" for each in node.names):
                right += node.module in ("custody_airflow.aws", "custody_airflow.channels")
                wrong += [file.name] if node.module == "custody.bootstrap" else []
    assert wrong == ["aws.py"]
    assert right > 5
