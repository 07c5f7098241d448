"""TLS to Apple and to Anisette servers is verified, with authorities of the operator's own where they are named."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from apple import DONE, LATER, Operator, Simulator
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Authority:
    """A certificate authority in a folder: ca.pem, and NAME.pem with certificate and key for a host."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test authority")])
        self.certificate = self._sign(
            self.name, self.key.public_key(), x509.BasicConstraints(ca=True, path_length=None)
        )
        self.path = folder / "ca.pem"
        self.path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def _sign(
        self, name: x509.Name, public_key: ec.EllipticCurvePublicKey, *extensions: x509.ExtensionType, days: int = 2
    ):
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self.name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=3))
            .not_valid_after(now + timedelta(days=days))
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        return builder.sign(self.key, hashes.SHA256())

    def issue(self, host: str, days: int = 2) -> Path:
        key = ec.generate_private_key(ec.SECP256R1())
        where = x509.IPAddress(ip_address(host)) if host[0].isdigit() else x509.DNSName(host)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        certificate = self._sign(name, key.public_key(), x509.SubjectAlternativeName([where]), days=days)
        path = self.folder / f"{host}{days}.pem"
        path.write_bytes(
            certificate.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return path


@contextmanager
def tls_in_front(port: int, certificate: Path, then: Path | None = None) -> Iterator[str]:
    """A TLS server that passes everything on to a plain port; from the second connection on with another certificate."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if then is not None:
            context.load_cert_chain(then)
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pump(reader, inner_writer), pump(inner_reader, writer))

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", 0, ssl=context))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    loop.call_soon_threadsafe(loop.stop)
    thread.join(5)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def tls_sim(authority: Authority) -> Iterator[Simulator]:
    certificate = str(authority.issue("127.0.0.1"))
    with Simulator("--density", "0", "--tls-cert", certificate, "--tls-key", certificate) as sim:
        sim.account("tls@example.com", "pw")
        yield sim


def test_apples_certificate_must_be_known(tls_sim: Simulator, authority: Authority, tmp_path: Path) -> None:
    operator = Operator(tmp_path, tls_sim)
    operator.add("a", "tls@example.com", "pw")
    assert operator.login("a") == LATER
    assert "certificate" in operator.output[-1]
    operator.env["OUTGOING_CA_FILE"] = str(authority.path)
    assert operator.login("a") == DONE, operator.output[-1]
    assert operator.fetch("a", operator.keys(tls_sim.tag())).returncode == DONE


@pytest.mark.parametrize(
    ("host", "days", "known", "works"),
    [
        ("127.0.0.1", 2, True, True),
        ("127.0.0.1", 2, False, False),
        ("elsewhere.example", 2, True, False),
        ("127.0.0.1", -1, True, False),
    ],
)
def test_anisettes_certificate_must_fit(
    sim: Simulator, operator: Operator, authority: Authority, host: str, days: int, known: bool, works: bool
) -> None:
    """Over HTTPS and, for provisioning, over secure WebSockets."""
    username = f"wss-{host}-{days}-{known}@example.com"
    sim.account(username, "pw")
    operator.add("a", username, "pw")
    if known:
        operator.env["OUTGOING_CA_FILE"] = str(authority.path)
    with tls_in_front(sim.anisette_port, authority.issue(host, days)) as url:
        operator.env["ANISETTE_URL"] = url
        assert operator.login("a") == (DONE if works else LATER), operator.output[-1]
    assert operator.status("a")["provisioned"] == works


@pytest.mark.parametrize("impostor", [False, True])
def test_sockets_are_verified_on_their_own(
    sim: Simulator, operator: Operator, authority: Authority, tmp_path: Path, impostor: bool
) -> None:
    """WebSockets use another library than HTTP. The first connection is HTTP's, the second the socket's."""
    username = f"socket-{impostor}@example.com"
    sim.account(username, "pw")
    operator.add("a", username, "pw")
    operator.env["OUTGOING_CA_FILE"] = str(authority.path)
    second = Authority(tmp_path).issue("127.0.0.1") if impostor else authority.issue("127.0.0.1")
    with tls_in_front(sim.anisette_port, authority.issue("127.0.0.1"), then=second) as url:
        operator.env["ANISETTE_URL"] = url
        assert operator.login("a") == (LATER if impostor else DONE), operator.output[-1]
    assert operator.status("a")["provisioned"] == (not impostor)
