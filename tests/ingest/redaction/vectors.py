"""Finds and near misses for every detector. Secrets are put together here, so that no scanner takes them for real."""

import base64

_ALNUM = "aB3dE5gH1jK2mN4pQ6rS8tU0vW7xY9zA1bC2dE3fG4hI5jK6lM7nO8pQ9rS0tU1vW2xY3zA4bC5dE6fG7hI8jK9"
_HEX = "0123456789abcdef" * 5


def alnum(n: int) -> str:
    return (_ALNUM * 3)[:n]


def hexes(n: int) -> str:
    return _HEX[:n]


_PEM_BODY = "MIIEowIBAAKCAQEA\nabc+/DEF==\n"
_BASIC = base64.b64encode(b"aladdin:opensesame").decode()

# detector → (text, what of it is found)
FINDS: dict[str, list[tuple[str, str]]] = {
    "aws_access_key_id": [
        ("id AKIA" + "IOSFODNN7EXAMPLE.", "AKIA" + "IOSFODNN7EXAMPLE"),
        ("ASIA" + "A" * 16, "ASIA" + "A" * 16),
    ],
    "aws_secret_access_key": [
        (
            "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG" + "/bPxRfiCYEXAMPLEKEY",
            "wJalrXUtnFEMI/K7MDENG" + "/bPxRfiCYEXAMPLEKEY",
        ),
        ('{"SecretAccessKey":"' + alnum(40) + '"}', alnum(40)),
    ],
    "google_api_key": [("key AIza" + alnum(35), "AIza" + alnum(35))],
    "google_oauth": [("ya29." + alnum(30), "ya29." + alnum(30)), ("GOCSPX-" + alnum(28), "GOCSPX-" + alnum(28))],
    "azure_storage_key": [("AccountName=a;AccountKey=" + alnum(86) + "==;x=1", alnum(86) + "==")],
    "azure_sas": [("https://x.blob.core.windows.net/c?sv=1&sig=" + alnum(43) + "%3D&se=2", alnum(43) + "%3D")],
    "azure_client_secret": [("abc8Q~" + alnum(34) + " x", "abc8Q~" + alnum(34))],
    "digitalocean_token": [("dop_v1_" + hexes(64), "dop_v1_" + hexes(64))],
    "databricks_token": [("dapi" + hexes(32) + "-2", "dapi" + hexes(32) + "-2")],
    "hashicorp_token": [
        ("hvs." + alnum(24), "hvs." + alnum(24)),
        (alnum(14) + ".atlasv1." + alnum(60), alnum(14) + ".atlasv1." + alnum(60)),
    ],
    "anthropic_api_key": [("sk-ant-" + "api03-" + alnum(90), "sk-ant-" + "api03-" + alnum(90))],
    "openai_api_key": [("use sk-proj-" + alnum(48), "sk-proj-" + alnum(48)), ("sk-" + alnum(48), "sk-" + alnum(48))],
    "huggingface_token": [("hf_" + alnum(34), "hf_" + alnum(34))],
    "cohere_api_key": [("COHERE_API_KEY=" + alnum(40), alnum(40))],
    "model_provider_key": [("gsk_" + alnum(52), "gsk_" + alnum(52)), ("nvapi-" + alnum(64), "nvapi-" + alnum(64))],
    "github_token": [
        ("ghp_" + alnum(36), "ghp_" + alnum(36)),
        ("github_pat_" + alnum(22) + "_" + alnum(59), "github_pat_" + alnum(22) + "_" + alnum(59)),
    ],
    "gitlab_token": [("glpat-" + alnum(20), "glpat-" + alnum(20))],
    "slack_token": [("xoxb-" + "123456789012-abcdefABCDEF", "xoxb-" + "123456789012-abcdefABCDEF")],
    "slack_webhook": [("https://hooks.slack.com/services/" + "T000/B000/" + alnum(24), "T000/B000/" + alnum(24))],
    "stripe_key": [("sk_live_" + alnum(24), "sk_live_" + alnum(24)), ("rk_test_" + alnum(24), "rk_test_" + alnum(24))],
    "twilio_key": [("SK" + hexes(32), "SK" + hexes(32))],
    "sendgrid_key": [("SG." + alnum(22) + "." + alnum(43), "SG." + alnum(22) + "." + alnum(43))],
    "npm_token": [("npm_" + alnum(36), "npm_" + alnum(36))],
    "pypi_token": [("pypi-AgE" + alnum(60), "pypi-AgE" + alnum(60))],
    "telegram_token": [("https://api.telegram.org/bot12345678:AA" + alnum(33) + "/x", "12345678:AA" + alnum(33))],
    "discord_token": [
        ("M" + alnum(23) + "." + alnum(6) + "." + alnum(27), "M" + alnum(23) + "." + alnum(6) + "." + alnum(27))
    ],
    "discord_webhook": [("https://discord.com/api/webhooks/123456789012345678/" + alnum(68), alnum(68))],
    "service_token": [
        ("shpat_" + hexes(32), "shpat_" + hexes(32)),
        ("glsa_" + alnum(32) + "_" + hexes(8), "glsa_" + alnum(32) + "_" + hexes(8)),
    ],
    "private_key": [
        (
            "x -----BEGIN RSA PRIVATE KEY-----\n" + _PEM_BODY + "-----END RSA PRIVATE KEY----- y",
            "-----BEGIN RSA PRIVATE KEY-----\n" + _PEM_BODY + "-----END RSA PRIVATE KEY-----",
        ),
        (
            '{"k":"-----BEGIN PRIVATE KEY-----\\nMIIE\\n-----END PRIVATE KEY-----\\n"}',
            "-----BEGIN PRIVATE KEY-----\\nMIIE\\n-----END PRIVATE KEY-----",
        ),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl", "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl"),
    ],
    "jwt": [
        (
            "got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjMifQ." + alnum(43) + ",",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjMifQ." + alnum(43),
        )
    ],
    "url_password": [("postgres://app:s3cr3t@db:5432/x", "s3cr3t"), ("https://:tok@host/", "tok")],
    "authorization": [
        ("Authorization: Bearer short12", "short12"),
        ('{"authorization":"Token abcdef"}', "abcdef"),
        ("Proxy-Authorization: Basic abcdefgh", "abcdefgh"),
    ],
    "bearer_token": [("sent bearer " + alnum(20), alnum(20))],
    "basic_credentials": [("basic " + _BASIC, _BASIC)],
    "session_cookie": [("Cookie: a=b; JSESSIONID=" + alnum(32) + "; c=d", alnum(32))],
    "password": [
        ("password=hunter2", "hunter2"),
        ("DB_PASSWORD: 'a b'", "a b"),
        ('{"userPassword": "p\\"q\\\\"}', 'p\\"q\\\\'),
        ('{"body":"{\\"password\\":\\"x\\\\\\"y\\"}"}', 'x\\\\\\"y'),
        ("?password=abc&user=x", "abc"),
        ("passphrase => open", "open"),
    ],
    "pwd": [("pwd=s3cret", "s3cret"), ('db_pwd: "x y"', "x y")],
    "secret": [
        ("client_secret=abcdef123", "abcdef123"),
        ("X-Api-Key: abcdef", "abcdef"),
        ('"apiKey":"abc-def"', "abc-def"),
    ],
    "token": [("access_token=" + alnum(24), alnum(24)), ('"refreshToken": "' + alnum(16) + '"', alnum(16))],
    "email": [
        ("to jane.doe+x@mail.example.co.uk!", "jane.doe+x@mail.example.co.uk"),
        ("müller@bücher.example", "müller@bücher.example"),
    ],
    "iban": [
        ("DE89370400440532013000", "DE89370400440532013000"),
        ("GB29 NWBK 6016 1331 9268 19 and", "GB29 NWBK 6016 1331 9268 19"),
        ("FR14 2004 1010 0505 0001 3M02 606 EUR", "FR14 2004 1010 0505 0001 3M02 606"),
    ],
    "credit_card": [
        ("card 4111 1111 1111 1111 ok", "4111 1111 1111 1111"),
        ("5500-0000-0000-0004", "5500-0000-0000-0004"),
        ("378282246310005", "378282246310005"),
        ("3782 822463 10005", "3782 822463 10005"),
        ("6011111111111117", "6011111111111117"),
    ],
    "us_ssn": [("ssn 123-45-6789.", "123-45-6789")],
    "uk_nino": [("NI AB123456C", "AB123456C"), ("AB 12 34 56 C", "AB 12 34 56 C")],
    "de_steuer_id": [("id 86095742719", "86095742719"), ("47 036 892 816", "47 036 892 816")],
    "fr_nir": [("NIR 2 55 08 14 168 025 38", "2 55 08 14 168 025 38"), ("255081416802538", "255081416802538")],
    "es_dni": [("DNI 12345678Z", "12345678Z"), ("NIE X1234567L", "X1234567L")],
    "it_codice_fiscale": [("CF RSSMRA85T10A562S", "RSSMRA85T10A562S")],
    "pl_pesel": [("pesel 44051401359", "44051401359")],
    "nl_bsn": [("BSN: 111222333", "111222333")],
    "in_aadhaar": [("2341 2341 2346", "2341 2341 2346"), ("aadhaar number: 234123412346", "234123412346")],
    "br_cpf": [("CPF 529.982.247-25", "529.982.247-25")],
    "ch_ahv": [("AHV 756.9217.0769.85", "756.9217.0769.85")],
    "be_national_number": [("85.07.30-033.28", "85.07.30-033.28")],
    "se_personnummer": [("811218-9876", "811218-9876"), ("19811218-9876", "811218-9876")],
    "phone": [
        ("call +49 151 12345678 now", "+49 151 12345678"),
        ("+14155552671", "+14155552671"),
        ("(415) 555-2671", "(415) 555-2671"),
        ("415-555-2671", "415-555-2671"),
        ("06 12 34 56 78", "06 12 34 56 78"),
        ("020 7946 0958", "020 7946 0958"),
        ("030/1234567", "030/1234567"),
        ("0044 20 7946 0958", "0044 20 7946 0958"),
    ],
    "ipv4": [("from 192.168.0.1:80", "192.168.0.1"), ("10.0.0.255.", "10.0.0.255")],
    "ipv6": [
        ("at 2001:db8::8a2e:370:7334 x", "2001:db8::8a2e:370:7334"),
        ("[::1]:80", "::1"),
        ("::ffff:10.0.0.1", "::ffff:10.0.0.1"),
    ],
}

MISSES: dict[str, list[str]] = {
    "aws_access_key_id": ["AKIA" + "IOSFODNN7", "XAKIA" + "IOSFODNN7EXAMPLE", "akia" + "iosfodnn7example"],
    "aws_secret_access_key": ["aws_secret_access_key = " + alnum(39), "aws_secret_access_key = " + alnum(41)],
    "google_api_key": ["AIza" + alnum(34)],
    "openai_api_key": ["sk-short", "sk-these-are-only-words-with-dashes", "task-" + alnum(30)],
    "github_token": ["ghp_" + alnum(35)],
    "twilio_key": ["SK" + hexes(31)],
    "jwt": ["eyJhbGciOiJIUzI1NiJ9"],
    "url_password": ["http://host:8080/path", "user@host", "https://u:***@host"],
    "authorization": ["authorization: Bearer", "authorization header missing", "authorization: null"],
    "bearer_token": ["bearer of-bad-news-and-more-words"],
    "basic_credentials": ["basic understanding", "basic " + base64.b64encode(b"no colon here").decode()],
    "password": ["password reset", "password=null", '"password":""', "password=***", "password: false"],
    "pwd": ["PWD=/srv/me", "cwd=x"],
    "secret": ["secret=none", "secrets are kept", "api_key=x"],
    "token": ["max_tokens=4096", "token=short1", "token=only-letters-in-here-no-digits"],
    "email": ["@mention", "a@b", "x @ y.de"],
    "iban": ["DE88370400440532013000", "XX89370400440532013000", "DE8937040044053201300"],
    "credit_card": [
        "4111111111111112",
        "1763839382123",
        "1763839382123456789",
        "0.4111111111111111",
        "41111111111111111",
        "4111-11111111-1111",
        "8111111111111116",
    ],
    "us_ssn": [
        "000-12-3456",
        "666-12-3456",
        "900-12-3456",
        "123-00-4567",
        "123-45-0000",
        "1123-45-6789",
        "123-45-67890",
    ],
    "uk_nino": ["QQ123456C", "AB123456E", "BG123456A", "GB123456A"],
    "de_steuer_id": ["86095742718", "12345678901", "06095742719"],
    "fr_nir": ["255081416802539", "255131416802538"],
    "es_dni": ["12345678A", "X1234567A"],
    "it_codice_fiscale": ["RSSMRA85T10A562T"],
    "pl_pesel": ["44051401358", "44131401359", "1763839382123"],
    "nl_bsn": ["BSN: 111222334", "111222333"],
    "in_aadhaar": ["2341 2341 2347", "234123412346", "1341 2341 2346"],
    "br_cpf": ["529.982.247-26", "111.111.111-11"],
    "ch_ahv": ["756.9217.0769.84"],
    "be_national_number": ["85.07.30-033.29"],
    "se_personnummer": ["811218-9875", "811318-9876"],
    "phone": [
        "2026-11-22T19:30:00+01:00",
        "1763839382123",
        "1763839382.123456",
        "latency 1234567890 ns",
        "v1.2.3-45",
        "550e8400-e29b-41d4-a716-446655440000",
        "192.168.100.200",
        "+999123",
        "2026-11-22 19:30:00",
        "+1 2 3",
    ],
    "ipv4": ["1.2.3", "256.1.1.1", "1.2.3.4.5", "v1.2.3.4"],
    "ipv6": ["12:34:56", "std::vector", "00:1b:44:11:3a:b7", "::"],
}
