"""A time-stamping authority on loopback, whose stamps OpenSSL makes; it can be told to misbehave."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_CONFIG = """
[tsa]
default_tsa = mine
[mine]
serial = {home}/serial
crypto_device = builtin
signer_digest = sha256
default_policy = 1.3.6.1.4.1.13762.3
digests = sha256
accuracy = secs:1
"""


@dataclass
class Authority:
    """Where it listens, who vouches for it, and how it answers next."""

    home: Path
    url: str = ""
    asked: list[bytes] = field(default_factory=list)
    answer: bytes | None = None
    status: int = 200

    @property
    def roots(self) -> Path:
        return self.home / "root.pem"

    def stamp(self, query: bytes) -> bytes:
        """Make a true answer to a query."""
        (self.home / "query").write_bytes(query)
        files = {"-queryfile": "query", "-inkey": "key.pem", "-signer": "signer.pem", "-config": "config"}
        words = [word for name, file in files.items() for word in (name, str(self.home / file))]
        made = subprocess.run(["openssl", "ts", "-reply", *words], capture_output=True, check=True)
        return made.stdout


@contextmanager
def authority(home: Path) -> Iterator[Authority]:
    """Run an authority with certificates of its own until the block ends."""
    home.mkdir()
    made = Authority(home)
    _certify(home)
    (home / "config").write_text(_CONFIG.format(home=home))
    (home / "serial").write_text("01\n")

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = self.rfile.read(int(self.headers["content-length"]))
            made.asked.append(query)
            body = made.stamp(query) if made.answer is None else made.answer
            self.send_response(made.status)
            self.send_header("content-type", "application/timestamp-reply")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *said: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Answer)
    made.url = f"http://127.0.0.1:{server.server_port}/"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _certify(home: Path) -> None:
    root_key, key = generate_private_key(SECP256R1()), generate_private_key(SECP256R1())
    root = _certificate("Root", root_key, "Root", root_key, authority=True)
    signer = _certificate("Time stamps", key, "Root", root_key, authority=False)
    (home / "root.pem").write_bytes(root.public_bytes(serialization.Encoding.PEM))
    (home / "signer.pem").write_bytes(signer.public_bytes(serialization.Encoding.PEM))
    private = serialization.PrivateFormat.PKCS8
    plain = serialization.NoEncryption()
    (home / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, private, plain))


def _certificate(
    name: str,
    key: EllipticCurvePrivateKey,
    issuer: str,
    issuer_key: EllipticCurvePrivateKey,
    *,
    authority: bool,
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if not authority:
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
        builder = builder.add_extension(usage, critical=True)
    return builder.sign(issuer_key, hashes.SHA256())
