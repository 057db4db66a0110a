"""Requests as no browser writes them, byte for byte to the server as it runs. Numbers are the threats'."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.browser import Site, site

__all__ = ["site"]
HOST = b"Host: 127.0.0.1\r\nConnection: close\r\n"


def told(site: Site, request: bytes) -> bytes:
    """All that the server answers until it hangs up."""
    address = urlsplit(site.url)
    with socket.create_connection((address.hostname, address.port), timeout=20) as connection:
        connection.sendall(request)
        return b"".join(_until_the_end(connection))


def _until_the_end(connection: socket.socket) -> Iterator[bytes]:
    while octets := connection.recv(65_536):
        yield octets


@pytest.mark.parametrize(
    "request_",
    [
        b"GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
        b"GET http://evil.example/ HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"Host: evil.example\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: evil.example\r\n" + HOST + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1/evil.example\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    ],
)
def test_threat_b14_a_request_for_another_host_is_refused_however_it_is_written(site: Site, request_: bytes) -> None:
    answer = told(site, request_)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"evil.example" not in answer
    assert b"\r\nserver:" not in answer.lower()


def test_no_answer_names_the_server_it_came_from(site: Site) -> None:
    answer = told(site, b"GET / HTTP/1.1\r\n" + HOST + b"\r\n").lower()
    assert answer.startswith(b"http/1.1 200 ")
    assert b"uvicorn" not in answer
    assert b"\r\nserver:" not in answer
