"""The guard over all tests: this machine and nothing else."""

import socket

import pytest
from pytest_socket import SocketConnectBlockedError

from custody_local.ports import HOST, free_port


@pytest.mark.filterwarnings("ignore:A test tried to use socket")
def test_a_test_cannot_reach_another_machine() -> None:
    with socket.socket() as client, pytest.raises(SocketConnectBlockedError):
        client.connect(("192.0.2.1", 443))  # TEST-NET-1, RFC 5737: nobody's address


def test_a_test_can_reach_this_machine() -> None:
    with socket.socket() as server, socket.socket() as client:
        server.bind((HOST, free_port()))
        server.listen()
        client.connect(server.getsockname())
