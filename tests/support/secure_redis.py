"""Debian's Redis with TLS and users, as a process. The server that tests use otherwise is built without TLS.

Its program is that of `redis-check-rdb`, which is in the package `redis-tools`: it acts by the name that it is called.
"""

import datetime
import os
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlencode

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from programs import free_port, until
from redis import Redis

PROGRAM = shutil.which("redis-check-rdb")


class Authority:
    """A certificate authority, which writes the certificates that it issues."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._key = folder, ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        self.file = folder / f"{name}.pem"
        self._write(self.file, self._name, self._key, x509.BasicConstraints(ca=True, path_length=None))

    def issue(self, name: str) -> tuple[Path, Path]:
        """Returns the files of a certificate for the host `name`, and of its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate, key_file = self._folder / f"{name}.crt", self._folder / f"{name}.key"
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        self._write(certificate, subject, key, x509.SubjectAlternativeName([x509.DNSName(name)]))
        plain = serialization.NoEncryption()
        encoded = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        key_file.write_bytes(encoded)
        return certificate, key_file

    def _write(
        self, file: Path, subject: x509.Name, key: ec.EllipticCurvePrivateKey, extension: x509.ExtensionType
    ) -> None:
        now = datetime.datetime.now(datetime.UTC)
        built = (
            x509.CertificateBuilder(self._name, subject, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=2))
            .add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        )
        file.write_bytes(built.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))


class SecureRedis:
    """A Redis that speaks only TLS, and asks its clients for certificates."""

    def __init__(self, folder: Path, authority: Authority) -> None:
        self.port = free_port()
        self._authority = authority
        self._certificate, self._key = authority.issue("localhost")
        client = authority.issue("client")
        files = urlencode(
            {"ssl_ca_certs": authority.file, "ssl_certfile": client[0], "ssl_keyfile": client[1]}, safe="/"
        )
        self.url = f"rediss://rowcast:s3%2Fcret@localhost:{self.port}/0?{files}"
        """The address for a user `rowcast`, with a certificate for the client."""
        command = [
            "redis-server", "--port", "0", "--tls-port", str(self.port), "--bind", "127.0.0.1", "--dir", str(folder),
            "--tls-cert-file", str(self._certificate), "--tls-key-file", str(self._key),
            "--tls-ca-cert-file", str(authority.file), "--save", "", "--appendonly", "yes",
        ]  # fmt: skip
        self._process = subprocess.Popen(command, executable=PROGRAM, stdout=subprocess.DEVNULL, env=os.environ)
        until(self._answers, "Redis answers")

    @property
    def admin(self) -> Redis:
        """A client that may do everything."""
        return Redis(
            "localhost", self.port, ssl=True, ssl_ca_certs=str(self._authority.file), protocol=2,
            ssl_certfile=str(self._certificate), ssl_keyfile=str(self._key),
        )  # fmt: skip

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()

    def _answers(self) -> bool:
        try:
            return bool(self.admin.ping())
        except Exception:
            return False
