"""Detectors of personal data. Bare digits are taken only where a check digit or their form tells them from numbers."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable

from swarmscope.ingest.redaction import check_digits
from swarmscope.ingest.redaction.detectors import Check, Detector, Group

_SEPARATORS = re.compile(rb"[ .\-/()+]")
_WORD = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
_DIGITS = frozenset(b"0123456789")

# E.164 country codes (ITU-T, list of assigned codes): those of one or two digits, and the first two of three.
_SHORT_CODES = frozenset(
    map(str, (1, 7, 20, 27, *range(30, 35), 36, 39, 40, 41, *range(43, 50), *range(51, 59), *range(60, 67)))
) | frozenset(map(str, (81, 82, 84, 86, *range(90, 96), 98)))
_LONG_CODES = frozenset(map(str, (*range(21, 27), 29, 35, 37, 38, 42, 50, 59, 67, 68, 69, 80, 85, 87, 88, 96, 97, 99)))
_E164_DIGITS = range(8, 16)
_NATIONAL_DIGITS = range(9, 13)
# ISO/IEC 7812 issuers: first digits → lengths. Digits in a row that begin otherwise are clocks and counters.
_CARD_ISSUERS = (
    (re.compile(r"4"), (13, 16, 19)),
    (re.compile(r"5[1-5]|2(?:22[1-9]|2[3-9]|[3-6]|7[01]|720)"), (16,)),
    (re.compile(r"3[47]"), (15,)),
    (re.compile(r"3(?:0[0-5]|095|[689])"), (14, 16)),
    (re.compile(r"6(?:011|4[4-9]|5)"), (16, 19)),
    (re.compile(r"35(?:2[89]|[3-8])"), (16, 19)),
    (re.compile(r"62"), (16, 17, 18, 19)),
    (re.compile(r"50|5[6-9]|6[37]"), (16, 19)),
)
_CARD_GROUPS = re.compile(
    rb"[0-9]{13,19}|[0-9]{4}(?:([ -])[0-9]{4}(?:\1[0-9]{4}){2}(?:\1[0-9]{3})?|([ -])[0-9]{6}\2[0-9]{4,5})"
)

# Length of an IBAN → countries; https://www.swift.com/resource/iban-registry-pdf.
_IBAN_COUNTRIES = {
    15: "NO",
    16: "BE",
    18: "DK|FO|FI|GL|NL|FK|SD",
    19: "MK|SI",
    20: "AT|BA|EE|KZ|XK|LT|LU|MN",
    21: "HR|LV|LI|CH",
    22: "BH|BG|CR|GE|DE|IE|ME|RS|GB|VA",
    23: "IL|IQ|AE|TL|GI|OM|SO",
    24: "AD|CZ|MD|PK|RO|SA|SK|ES|SE|TN|VG",
    25: "PT|ST|LY",
    26: "IS|TR",
    27: "FR|GR|IT|MC|SM|MR|BI|DJ",
    28: "AL|AZ|BY|CY|DO|SV|GT|HU|LB|NI|PL",
    29: "BR|EG|PS|QA|UA",
    30: "JO|KW|MU|YE",
    31: "MT|SC",
    32: "LC",
    33: "RU",
}
_IBAN = rb"|".join(
    rb"(?:%s)[0-9]{2}(?: ?[A-Z0-9]){%d}" % (countries.encode(), length - 4)
    for length, countries in _IBAN_COUNTRIES.items()
)


def _compact(found: bytes) -> str:
    return _SEPARATORS.sub(b"", found).decode()


def checked(is_valid: Callable[[str], bool]) -> Check:
    """`is_valid` of a find without its separators."""

    def is_identifier(text: bytes, start: int, end: int) -> bool:
        return stands_alone(text, start, end) and is_valid(_compact(text[start:end]))

    return is_identifier


def stands_alone(text: bytes, start: int, end: int) -> bool:
    """Whether no word, number or decimal fraction goes on before or behind a find."""
    before, behind = text[max(start - 2, 0) : start], text[end : end + 2]
    if before and (before[-1] in _WORD or (before[-1:] == b"." and len(before) > 1 and before[0] in _DIGITS)):
        return False
    return not behind or not (behind[0] in _WORD or (behind[:1] == b"." and len(behind) > 1 and behind[1] in _DIGITS))


def is_international_phone(text: bytes, start: int, end: int) -> bool:
    """Whether a find is 8 to 15 digits behind an assigned country code."""
    digits = _compact(text[start:end]).removeprefix("00")
    known = digits[:1] in _SHORT_CODES or digits[:2] in _SHORT_CODES or digits[:2] in _LONG_CODES
    return known and len(digits) in _E164_DIGITS and stands_alone(text, start, end)


def is_phone(text: bytes, start: int, end: int) -> bool:
    """Whether a find is a phone number, in an international or a national form."""
    if text[start : start + 1] == b"+" or text[start : start + 2] == b"00":
        return is_international_phone(text, start, end)
    if text[start - 1 : start] in (b"-", b"/") or text[end : end + 1] in (b"-", b"/"):
        return False
    return len(_compact(text[start:end])) in _NATIONAL_DIGITS and stands_alone(text, start, end)


def is_card(text: bytes, start: int, end: int) -> bool:
    """Whether a find is grouped as on cards, begins as an issuer's numbers do, and passes Luhn's check."""
    if _CARD_GROUPS.fullmatch(text[start:end]) is None or not stands_alone(text, start, end):
        return False
    digits = _compact(text[start:end])
    issued = any(first.match(digits) and len(digits) in lengths for first, lengths in _CARD_ISSUERS)
    return issued and check_digits.is_luhn(digits)


def is_ssn(text: bytes, start: int, end: int) -> bool:
    """Whether a find's parts were ever given out: https://www.ssa.gov/employer/randomization.html."""
    digits = _compact(text[start:end])
    is_given_out = (
        digits[:3] not in ("000", "666") and digits[0] != "9" and digits[3:5] != "00" and digits[5:] != "0000"
    )
    return is_given_out and text[start - 1 : start] != b"-" and text[end : end + 1] != b"-"


def is_personnummer(digits: str) -> bool:
    """Sweden's personal number: a date of birth and Luhn's check."""
    month, day = int(digits[2:4]), int(digits[4:6])
    return 1 <= month <= 12 and (1 <= day <= 31 or 61 <= day <= 91) and check_digits.is_luhn(digits)


def is_ipv4(text: bytes, start: int, end: int) -> bool:
    """Whether a find is four numbers and not part of a longer version number."""
    return stands_alone(text, start, end)


def is_ipv6(text: bytes, start: int, end: int) -> bool:
    """Whether a find is an IPv6 address: a time of day is not."""
    if (
        text[max(start - 1, 0) : start] in (b":", b".")
        or text[end : end + 1] == b":"
        or not stands_alone(text, start, end)
    ):
        return False
    try:
        ipaddress.IPv6Address(text[start:end].decode())
    except ValueError:
        return False
    return True


def _personal(name: str, finds: str, pattern: bytes, check: Check | None, trigger: bytes | None = None) -> Detector:
    return Detector(name, Group.PERSONAL, finds, pattern, check, trigger)


PERSONAL: tuple[Detector, ...] = (
    _personal(
        "email",
        "e-mail addresses",
        rb"[A-Za-z0-9_%+.\x{80}-\x{10FFFF}-]+@(?:[A-Za-z0-9\x{80}-\x{10FFFF}-]+\.)+[A-Za-z\x{80}-\x{10FFFF}]{2,24}",
        None,
        rb"[A-Za-z0-9_%+.\x80-\xff-]@[A-Za-z0-9\x80-\xff-]",
    ),
    _personal(
        "iban",
        "IBANs, by country, length and check digits (mod 97)",
        rb"\b(?:" + _IBAN + rb")\b",
        checked(check_digits.is_iban),
        rb"\b[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]){11}",
    ),
    _personal(
        "credit_card",
        "card numbers, by issuer, length, grouping and Luhn's check",
        rb"\b[2-6][0-9]{3}(?:[ -]?[0-9]){9,15}\b",
        is_card,
    ),
    _personal("us_ssn", "US social security numbers", rb"\b[0-9]{3}(?:-[0-9]{2}-| [0-9]{2} )[0-9]{4}\b", is_ssn),
    _personal(
        "uk_nino",
        "UK national insurance numbers",
        rb"\b(?:[ACEHJ-MOPRSW-Y][A-CEGHJ-NPR-TW-Z]|B[A-CEHJ-NPR-TW-Z]|G[ACEGHJ-NPR-TW-Z]|[KN][A-CEGHJ-MPR-TW-Z]|T[A-CEGHJ-MPR-TW-Z]|Z[A-CEGHJ-NPR-TW-Y])"
        rb" ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D]\b",
        None,
    ),
    _personal(
        "de_steuer_id",
        "German tax numbers (Steuer-ID), with check digit",
        rb"\b[1-9][0-9](?:[0-9]{9}| [0-9]{3} [0-9]{3} [0-9]{3})\b",
        checked(check_digits.is_steuer_id),
    ),
    _personal(
        "fr_nir",
        "French social security numbers (NIR), with key",
        rb"\b[1-478] ?[0-9]{2} ?[0-9]{2} ?[0-9][0-9AB] ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}\b",
        checked(check_digits.is_nir),
    ),
    _personal(
        "es_dni",
        "Spanish DNI and NIE, with letter",
        rb"\b(?:[0-9]{8}|[XYZ][0-9]{7})-?[A-HJ-NP-TV-Z]\b",
        checked(check_digits.is_dni),
    ),
    _personal(
        "it_codice_fiscale",
        "Italian codice fiscale, with check letter",
        rb"\b[A-Z]{6}[0-9LMNP-V]{2}[A-EHLMPRST][0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{3}[A-Z]\b",
        checked(check_digits.is_codice_fiscale),
    ),
    _personal("pl_pesel", "Polish PESEL, with date and check digit", rb"\b[0-9]{11}\b", checked(check_digits.is_pesel)),
    _personal(
        "nl_bsn",
        "Dutch BSN behind their name, with the eleven test",
        rb"""(?i)\b(?:bsn|burgerservicenummer|sofi(?:nummer)?)[\s"'\\:=#]{1,8}([0-9]{9})\b""",
        checked(check_digits.is_bsn),
    ),
    _personal(
        "in_aadhaar",
        "Aadhaar numbers, grouped or behind their name, with Verhoeff's check",
        rb"""\b([2-9][0-9]{3}(?: [0-9]{4} |-[0-9]{4}-)[0-9]{4})\b"""
        rb"""|(?i:aadhaa?r[a-z_ ]{0,8}[\s"'\\:=#]{1,8})([2-9][0-9]{11})\b""",
        checked(check_digits.is_verhoeff),
    ),
    _personal(
        "br_cpf",
        "Brazilian CPF as written, with check digits",
        rb"\b[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}\b",
        checked(check_digits.is_cpf),
    ),
    _personal(
        "ch_ahv",
        "Swiss AHV numbers as written",
        rb"\b756\.[0-9]{4}\.[0-9]{4}\.[0-9]{2}\b",
        checked(check_digits.is_ean),
    ),
    _personal(
        "be_national_number",
        "Belgian national numbers as written",
        rb"\b[0-9]{2}\.[0-9]{2}\.[0-9]{2}-[0-9]{3}\.[0-9]{2}\b",
        checked(check_digits.is_rijksregister),
    ),
    _personal(
        "se_personnummer",
        "Swedish personal numbers with their dash",
        rb"\b(?:[0-9]{2})?([0-9]{6}[-+][0-9]{4})\b",
        lambda text, start, end: is_personnummer(_compact(text[start:end])),
    ),
    _personal(
        "phone",
        "phone numbers: international (`+`, `00`), and the usual national forms with separators",
        rb"\+[1-9][0-9]{0,2}(?:[ .\-/]?\([0-9]{1,4}\))?(?:[ .\-/]?[0-9]){5,13}"
        rb"|\b00[1-9][0-9]{0,2}[ .-](?:[ .\-/]?[0-9]){5,13}"
        rb"|\([2-9][0-9]{2}\) ?[2-9][0-9]{2}[ .-][0-9]{4}"
        rb"|\b[2-9][0-9]{2}(?:-[2-9][0-9]{2}-|\.[2-9][0-9]{2}\.| [2-9][0-9]{2}-)[0-9]{4}"
        rb"|\b0[1-9](?: [0-9]{2}){4}|\b0[1-9](?:\.[0-9]{2}){4}"
        rb"|\b0[1-9][0-9]{1,4}[ /-][0-9]{3,9}(?:[ -][0-9]{2,5})?"
        rb"|\(0[1-9][0-9]{1,4}\) ?[0-9]{3,9}(?:[ -][0-9]{2,5})?",
        is_phone,
    ),
)
_OCTET = rb"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
NETWORK: tuple[Detector, ...] = (
    Detector("ipv4", Group.NETWORK, "IPv4 addresses", rb"\b(?:" + _OCTET + rb"\.){3}" + _OCTET + rb"\b", is_ipv4),
    Detector(
        "ipv6",
        Group.NETWORK,
        "IPv6 addresses",
        rb"(?:[0-9A-Fa-f]{0,4}:){2,7}(?:" + _OCTET + rb"(?:\." + _OCTET + rb"){3}|[0-9A-Fa-f]{1,4})?",
        is_ipv6,
        rb"::[0-9A-Fa-f]|[0-9A-Fa-f]::|(?:[0-9A-Fa-f]{1,4}:){6}",
    ),
)
