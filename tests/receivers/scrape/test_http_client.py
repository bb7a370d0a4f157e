"""Authentication, redirects, headers, TLS: against a real server and a certificate made on the spot."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import socket
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from yarl import URL

from swarmscope.receivers.scrape.http_client import FetchError, HttpClient, may_carry_secrets
from swarmscope.receivers.scrape.http_config import HttpClientOptions
from tests.receivers.scrape.served_target import Target, serving


def get(address, scheme="http", path="/metrics", **options):
    async def scene():
        client = HttpClient(HttpClientOptions.model_validate(options))
        try:
            return await client.get(f"{scheme}://{address}{path}", {}, timeout_s=5, max_bytes=1000)
        finally:
            await client.close()

    return asyncio.run(scene())


@pytest.mark.parametrize(
    ("options", "header"),
    [
        ({"basic_auth": {"username": "me", "password": "pä:ss"}}, "Basic bWU6cMOkOnNz"),
        ({"basic_auth": {"username": "me", "password_file": "FILE"}}, "Basic bWU6dG9rZW4="),
        ({"authorization": {"credentials": "x"}}, "Bearer x"),
        ({"authorization": {"type": "Token", "credentials_file": "FILE"}}, "Token token"),
        ({"bearer_token": "x"}, "Bearer x"),
        ({"bearer_token_file": "FILE"}, "Bearer token"),
    ],
)
def test_authentication(options, header, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("token\n")
    options = {
        key: {k: str(secret) if v == "FILE" else v for k, v in value.items()}
        if isinstance(value, dict)
        else value.replace("FILE", str(secret))
        for key, value in options.items()
    }
    target = Target()
    with serving(target) as address:
        get(address, **options)
    assert target.requests[0][1]["Authorization"] == header


def test_a_missing_secret_file_is_told():
    with pytest.raises(FetchError, match="unable to read"):
        get("127.0.0.1:1", bearer_token_file="/absent/token")


def test_extra_headers():
    target = Target()
    with serving(target) as address:
        get(address, http_headers={"X-Scope": {"values": ["a", "b"], "secrets": ["c"]}})
    assert target.requests[0][1]["X-Scope"] == "a, b, c"


def test_redirects():
    def answer(path, headers):
        if path == "/metrics":
            return 302, {"Location": "/moved"}, b""
        return 200, {}, b"a 1\n"

    target = Target(answer)
    with serving(target) as address:
        assert get(address, basic_auth={"username": "u"}).body == b"a 1\n"
        assert "Authorization" in target.requests[1][1]
        with pytest.raises(FetchError, match="HTTP status 302"):
            get(address, follow_redirects=False)


def test_credentials_do_not_follow_to_another_host():
    other = Target()
    with serving(other) as elsewhere:
        target = Target(lambda path, headers: (302, {"Location": f"http://{elsewhere}/x"}, b""))
        with serving(target) as address:
            get(address, bearer_token="secret")
    assert "Authorization" in target.requests[0][1]
    assert "Authorization" not in other.requests[0][1]


def test_headers_of_the_configuration_do_not_follow_to_another_host():
    other = Target()
    with serving(other) as elsewhere:
        target = Target(lambda path, headers: (307, {"Location": f"http://user:pass@{elsewhere}/x"}, b""))
        with serving(target) as address:
            get(address, http_headers={"X-Api-Key": {"secrets": ["s"]}})
    assert target.requests[0][1]["X-Api-Key"] == "s"
    assert "X-Api-Key" not in other.requests[0][1]
    assert "Authorization" not in other.requests[0][1]


@pytest.mark.parametrize(
    ("first", "target", "carried"),
    [
        ("http://a/x", "http://a:80/y", True),
        ("http://a/x", "https://a/y", True),
        ("https://a/x", "http://a/y", False),
        ("http://a/x", "http://a:81/y", False),
        ("http://a/x", "http://b.a/y", False),
        ("http://a:81/x", "https://a/y", False),
    ],
)
def test_where_secrets_may_go(first, target, carried):
    assert may_carry_secrets(URL(first), URL(target)) is carried


def test_redirects_in_a_circle_end():
    with (
        serving(Target(lambda path, headers: (302, {"Location": "/metrics"}, b""))) as address,
        pytest.raises(FetchError, match="stopped after 10 redirects"),
    ):
        get(address)


def test_a_redirect_to_another_scheme_is_refused():
    with (
        serving(Target(lambda path, headers: (302, {"Location": "file:///etc/passwd"}, b""))) as address,
        pytest.raises(FetchError, match="allowed: http and https"),
    ):
        get(address)


def test_proxy():
    proxy = Target()
    with serving(proxy) as address:
        get("metrics.invalid:81", proxy_url=f"http://{address}")
    assert proxy.requests[0][0] == "http://metrics.invalid:81/metrics"


def test_endless_bodies_are_cut_off():
    with serving(Target(b"a" * 1001)) as address, pytest.raises(FetchError, match="body size limit exceeded"):
        get(address)


def test_nobody_there():
    with pytest.raises(FetchError, match=r"127\.0\.0\.1:1"):
        get("127.0.0.1:1")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """(certificate file, key file) for 127.0.0.1 and "internal", signed by itself."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("internal")]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return str(folder / "cert.pem"), str(folder / "key.pem")


@pytest.fixture
def secure(certificate):
    """The address of a TLS server that also wants a client certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    context.load_verify_locations(certificate[0])
    context.verify_mode = ssl.CERT_OPTIONAL
    with serving(Target(b"a 1\n"), context) as address:
        yield address


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def test_tls(secure, certificate):
    cert, key = certificate
    with pytest.raises(FetchError, match=r"(?i)certificate"):
        get(secure, "https")
    assert get(secure, "https", tls_config={"ca_file": cert}).body == b"a 1\n"
    assert get(secure, "https", tls_config={"ca": read(cert), "min_version": "TLS13"}).body == b"a 1\n"
    assert get(secure, "https", tls_config={"insecure_skip_verify": True}).body == b"a 1\n"
    assert get(secure, "https", tls_config={"ca_file": cert, "server_name": "internal"}).body == b"a 1\n"
    with pytest.raises(FetchError, match=r"(?i)mismatch"):
        get(secure, "https", tls_config={"ca_file": cert, "server_name": "other"})
    client = {"ca_file": cert, "cert_file": cert, "key_file": key}
    assert get(secure, "https", tls_config=client).body == b"a 1\n"
    inline = {"ca_file": cert, "cert": read(cert), "key": read(key)}
    assert get(secure, "https", tls_config=inline).body == b"a 1\n"
    with pytest.raises(FetchError, match="tls_config cannot be used"):
        get(secure, "https", tls_config={"ca_file": "/absent"})


def test_what_went_wrong_is_told_in_words():
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
    with pytest.raises(FetchError, match=r"^Get 'http://127\.0\.0\.1:\d+/metrics': connection refused$"):
        get(f"127.0.0.1:{port}")
    with pytest.raises(FetchError, match=r"^Get 'http://nowhere\.invalid:1/metrics': [a-z ]+$"):
        get("nowhere.invalid:1")
