from __future__ import annotations

import pytest
from passlib.hash import bcrypt

from accounts.schemes import crypts
from accounts.schemes.errors import UnusablePasswordError, VerifierError
from accounts.schemes.libcrypt import load
from accounts.schemes.verifiers import make_verifier, require_usable, verify

# The vectors of the SHA-crypt specification; all but the second were computed again with "openssl passwd".
SHA512_ROUNDS = (
    "{SHA512-CRYPT}$6$rounds=1400$anotherlongsalts$"
    "POfYwTEok97VWcjxIiSOjiykti.o/pQs.wPvMxQ6Fm7I6IoYN3CmLs66x9t0oSwbtEW7o7UmJEiDwGqd8p4ur1"
)
SHA256 = "{SHA256-CRYPT}$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"
SHA512 = (
    "{SHA512-CRYPT}$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"
)


@pytest.fixture(params=["libcrypt", "passlib"])
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crypts, "_SYSTEM_CRYPT", load() if request.param == "libcrypt" else None)


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("kind", ["SHA512-CRYPT", "SHA256-CRYPT", "MD5-CRYPT"])
def test_both_backends_make_what_they_verify(kind: str) -> None:
    verifier = make_verifier(kind, b"tanstaaf")
    assert verify(verifier, b"tanstaaf")
    assert not verify(verifier, b"tanstaag")


def test_both_backends_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    system = load()
    assert system is not None, "libcrypt is not installed"
    for kind in ("SHA512-CRYPT", "SHA256-CRYPT", "MD5-CRYPT"):
        monkeypatch.setattr(crypts, "_SYSTEM_CRYPT", system)
        theirs = make_verifier(kind, "pä ss".encode())
        monkeypatch.setattr(crypts, "_SYSTEM_CRYPT", None)
        assert verify(theirs, "pä ss".encode())
        ours = make_verifier(kind, "pä ss".encode())
        monkeypatch.setattr(crypts, "_SYSTEM_CRYPT", system)
        assert verify(ours, "pä ss".encode())


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize(
    ("verifier", "password"),
    [
        (SHA512, b"Hello world!"),
        (SHA512_ROUNDS, b"a very much longer text to encrypt.  This one even stretches over morethan one line."),
        (SHA256, b"Hello world!"),
        ("{CRYPT}" + SHA256.partition("}")[2], b"Hello world!"),
        ("{DES-CRYPT}rloEAKGM6r8jc", b"silly"),
        ("{CRYPT}$1$abcdefgh$4Skr6u8Lxi9Z3LeNL3bHm/", b"silly"),
    ],
)
def test_verifiers_of_other_systems_are_understood(verifier: str, password: bytes) -> None:
    assert verify(verifier, password)
    assert not verify(verifier, password[1:])


def test_a_setting_the_library_does_not_know_goes_to_passlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crypts, "_SYSTEM_CRYPT", lambda _password, _setting: None)
    verifier = make_verifier("SHA256-CRYPT", b"tanstaaf")
    assert verify(verifier, b"tanstaaf")


def test_bcrypt_looks_at_72_octets_of_foreign_verifiers() -> None:
    verifier = "{BLF-CRYPT}" + bcrypt.using(ident="2y", rounds=4).hash(b"x" * 72)
    assert verify(verifier, b"x" * 80)


def test_bcrypt_is_not_written_for_longer_passwords() -> None:
    with pytest.raises(UnusablePasswordError, match="72"):
        make_verifier("BLF-CRYPT", b"x" * 73)


@pytest.mark.parametrize(
    "verifier",
    [
        "{ARGON2ID}$argon2id$v=19$m=99999999,t=2,p=1$MDEyMzQ1Njc4OWFi$MDEyMzQ1Njc4OWFi",
        "{ARGON2ID}$argon2id$v=19$m=19456,t=21,p=1$MDEyMzQ1Njc4OWFi$MDEyMzQ1Njc4OWFi",
        "{ARGON2I}$argon2i$v=19$m=19456,t=2,p=17$MDEyMzQ1Njc4OWFi$MDEyMzQ1Njc4OWFi",
        "{BLF-CRYPT}$2y$31$" + "a" * 53,
        "{SHA512-CRYPT}$6$rounds=999999999$salt$" + "a" * 86,
    ],
)
def test_a_cost_beyond_bounds_is_refused_before_anything_is_computed(verifier: str) -> None:
    with pytest.raises(VerifierError, match="above"):
        verify(verifier, b"x")


@pytest.mark.parametrize(
    "verifier",
    [
        "{CRYPT}*",
        "{ARGON2I}$argon2id$v=19$m=8,t=1,p=1$MDEyMzQ1Njc4OWFi$MDEyMzQ1Njc4OWFi",
        "{DES-CRYPT.b64}rl0uE0nYXDqUQ",
        "{BLF-CRYPT}$2x$04$" + "a" * 53,
    ],
)
def test_another_form_is_refused(verifier: str) -> None:
    with pytest.raises(VerifierError, match="malformed"):
        require_usable(verifier)


def test_parameters_that_no_library_takes_are_told() -> None:
    with pytest.raises(VerifierError, match="not possible"):
        verify("{BLF-CRYPT}$2y$02$" + "O" * 53, b"x")


def test_libcrypt_says_none_for_what_it_does_not_know() -> None:
    crypt = load()
    assert crypt is not None, "libcrypt is not installed"
    assert crypt(b"x", b"$nothing$") is None


@pytest.mark.parametrize("name", ["libno-such-library.so.9", "libm.so.6"])
def test_a_system_without_crypt_r_has_no_backend(name: str) -> None:
    assert load(name) is None


def test_a_system_without_libcrypt_has_no_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctypes.util.find_library", lambda _name: None)
    assert load() is None
