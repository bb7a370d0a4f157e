"""Check digits: whether digits that look like an identifier are one. Arguments are ASCII without separators."""

from __future__ import annotations

# Verhoeff, "Error detecting decimal codes" (1969): the dihedral group's table, and its permutation.
_DIHEDRAL = (
    "0123456789",
    "1234067895",
    "2340178956",
    "3401289567",
    "4012395678",
    "5987604321",
    "6598710432",
    "7659821043",
    "8765932104",
    "9876543210",
)
_PERMUTED = (
    "0123456789",
    "1576283094",
    "5803796142",
    "8916043527",
    "9453126870",
    "4286573901",
    "2793806415",
    "7046913258",
)
_DNI_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"
# Italian decree of 23 December 1976: what a character weighs in an odd place.
_CODICE_DIGITS = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21)
_CODICE_LETTERS = (*_CODICE_DIGITS, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)
_CODICE_ODD = dict(zip("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", (*_CODICE_DIGITS, *_CODICE_LETTERS), strict=True))
_CPF_DIGITS = 11


def is_luhn(digits: str) -> bool:
    """ISO/IEC 7812-1, annex B."""
    total = 0
    for place, character in enumerate(reversed(digits)):
        value = int(character) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def is_verhoeff(digits: str) -> bool:
    """Verhoeff's check, as in Aadhaar numbers."""
    state = 0
    for place, character in enumerate(reversed(digits)):
        state = int(_DIHEDRAL[state][int(_PERMUTED[place % 8][int(character)])])
    return state == 0


def is_iban(text: str) -> bool:
    """ISO 13616: mod 97 of the rearranged text is 1."""
    return int("".join(str(int(character, 36)) for character in text[4:] + text[:4])) % 97 == 1


def is_steuer_id(digits: str) -> bool:
    """Germany's tax number: ISO 7064 mod 11,10, and one digit stands two or three times among the first ten."""
    counts = sorted(digits[:10].count(digit) for digit in set(digits[:10]))
    if digits[0] == "0" or counts[-1] not in (2, 3) or (len(counts) > 1 and counts[-2] > 1):
        return False
    product = 10
    for character in digits[:10]:
        product = (int(character) + product) % 10 or 10
        product = product * 2 % 11
    return (11 - product) % 10 == int(digits[10])


def is_nir(text: str) -> bool:
    """France's social security number: 97 minus the number's rest by 97; Corsica's 2A and 2B count as 19 and 18."""
    month = int(text[3:5])
    if not (1 <= month <= 12 or 20 <= month <= 42 or month >= 50):
        return False
    number = int(text[:13].replace("2A", "19").replace("2B", "18"))
    return 97 - number % 97 == int(text[13:])


def is_dni(text: str) -> bool:
    """Spain's DNI and NIE: the letter is the number's rest by 23; X, Y, Z stand for 0, 1, 2."""
    number = int(text[:-1].translate(str.maketrans("XYZ", "012")))
    return _DNI_LETTERS[number % 23] == text[-1]


def is_codice_fiscale(text: str) -> bool:
    """Italy's codice fiscale."""
    total = sum(_CODICE_ODD[character] for character in text[:15:2])
    total += sum(int(character, 36) - (0 if character.isdigit() else 10) for character in text[1:15:2])
    return chr(ord("A") + total % 26) == text[15]


def is_pesel(digits: str) -> bool:
    """Poland's PESEL: a date of birth (the month tells the century), a serial number and a weighed check digit."""
    if not (1 <= int(digits[2:4]) % 20 <= 12 and 1 <= int(digits[4:6]) <= 31):
        return False
    weights = (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=True)) % 10 == 0


def is_bsn(digits: str) -> bool:
    """The Netherlands' BSN: the eleven test, in which the last digit counts -1."""
    weights = (9, 8, 7, 6, 5, 4, 3, 2, -1)
    total = sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=True))
    return digits != "000000000" and total % 11 == 0


def is_cpf(digits: str) -> bool:
    """Brazil's CPF: two check digits modulo 11; all digits equal is none."""
    if len(set(digits)) == 1:
        return False
    for length in (9, 10):
        total = sum(int(digit) * (length + 1 - place) for place, digit in enumerate(digits[:length]))
        if total * 10 % _CPF_DIGITS % 10 != int(digits[length]):
            return False
    return True


def is_ean(digits: str) -> bool:
    """GS1's check digit over thirteen digits, as in Switzerland's AHV number."""
    return sum(int(digit) * (1 + 2 * (place % 2)) for place, digit in enumerate(digits)) % 10 == 0


def is_rijksregister(digits: str) -> bool:
    """Belgium's national number: 97 minus the rest by 97, with a 2 before it for those born since 2000."""
    return int(digits[9:]) in (97 - int(digits[:9]) % 97, 97 - int("2" + digits[:9]) % 97)
