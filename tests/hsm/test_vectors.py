"""The published vectors of an HSM: computed again by a second implementation, and printed as they are published."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from kit.documents import ROOT
from kit.hsms import ReferenceHsm
from kit.programs import CommandLine
from sscard.hsm import HsmError
from sscard.hsm.vectors import GROUPS, KINDS
from sscard.issuer import CardReference

PUBLISHED = ROOT / "docs" / "reference" / "hsm-vectors.json"
FILE = json.loads(PUBLISHED.read_text("utf-8"))
VECTORS: dict[str, dict[str, Any]] = {vector["id"]: vector for vector in FILE["vectors"]}
REFERENCE = ReferenceHsm()
LEVELS = {"province": 1, "city": 2, "card": 3}

OTHER_KEYS = """name: keys of a city
keys:
  - {name: PUK, use: authenticate, addresses: ["2001"], sm4: ["00112233445566778899AABBCCDDEEFF"]}
  - name: STK
    use: mac and encipher
    addresses: ["2002"]
    sm4: ["FFEEDDCCBBAA99887766554433221100"]
    des: ["0011223344556677"]
"""


def test_the_command_prints_what_is_published(sscard: CommandLine) -> None:
    code, out, _ = sscard("hsm", "vectors", "--json")
    assert (code, out) == (0, PUBLISHED.read_text("utf-8"))


def asked_of(hsm: ReferenceHsm, vector: dict[str, Any]) -> str:
    """The answer to a vector, from its published input alone, in hex."""
    given = {
        name: bytes.fromhex(value)
        for name, value in vector["input"].items()
        if name in {"serial", "card_key", "factor", "original", "header", "pin", "message"} and value is not None
    }
    algorithm, city = vector["input"]["algorithm"], vector["input"].get("city_code", "")
    key, version = vector["input"].get("key", ""), vector["input"].get("version", 0)
    if vector["operation"] == "diversify":
        levels = LEVELS[vector["input"]["level"]]
        return hsm.card_key(algorithm, key, version, city, given["serial"], levels).hex().upper()
    if vector["for_hsm"]:
        address = vector["input"].get("address") or hsm.address_of(key, version)
        of_card = (algorithm, address, CardReference(city, given["serial"]))
        answer = {
            "authentication-data": lambda: hsm.authentication_data(*of_card, given["factor"], given["original"]),
            "safe-message": lambda: hsm.safe_message(*of_card, given["factor"], given["header"], given.get("pin")),
            "purchase-mac": lambda: hsm.purchase_mac(*of_card, given["factor"], given["message"]),
            "transaction-proof": lambda: hsm.transaction_proof(*of_card, given["message"]),
        }[vector["operation"]]()
        return answer.hex().upper()
    card_key = given.get("card_key") or hsm.card_key(algorithm, key, version, city, given["serial"])
    session = hsm.session_key(algorithm, card_key, given["factor"]) if "factor" in given else b""
    answer = {
        "session-key": lambda: session,
        "authentication-data": lambda: (
            hsm.proof(algorithm, card_key, given["factor"], given["original"]) + given["original"]
        ),
        "safe-message": lambda: hsm.command(algorithm, card_key, given["factor"], given["header"], given.get("pin")),
        "purchase-mac": lambda: hsm.mac_of(algorithm, session, given["message"]),
        "transaction-proof": lambda: hsm.transaction(algorithm, card_key, given["message"]),
    }[vector["operation"]]()
    return answer.hex().upper()


def test_a_second_implementation_gives_every_answer() -> None:
    answered = [vector for vector in VECTORS.values() if "result" in vector]
    assert len(answered) > 150
    assert {vector["id"]: asked_of(REFERENCE, vector) for vector in answered} == {
        vector["id"]: vector["result"] for vector in answered
    }


def test_a_second_implementation_refuses_what_is_to_be_refused() -> None:
    refused = [vector for vector in VECTORS.values() if "refused" in vector]
    assert len(refused) > 40
    for vector in refused:
        with pytest.raises(HsmError):
            pytest.fail(f"{vector['id']}: {asked_of(REFERENCE, vector)}")


@pytest.mark.parametrize(
    ("name", "result"),
    [
        ("3des/pin/3", "842400010C8038FB7CE702AA2B7B84666C"),
        ("3des/message/1", "842400000479FCAC8C"),
        ("3des/message/2", "842400000438D2E880"),
        ("3des/message/4", "8416000004C4F47CBE"),
        ("3des/session-key/3", "61EBFDD8B1B4D55A"),
        ("3des/session-key/4", "4BD6F979F21A4FC0"),
    ],
)
def test_vectors_under_a_card_key_are_those_of_the_sheet(name: str, result: str) -> None:
    """card-security.md §7."""
    assert VECTORS[name]["result"] == result
    sheet = (ROOT / "docs" / "standard" / "card-security.md").read_text("utf-8")
    assert result[-8:] in sheet


def test_each_suite_has_vectors_of_each_group() -> None:
    groups = {name.rpartition("/")[0] for name in VECTORS}
    every = {f"{kind.name}/{group}" for kind in KINDS for group in GROUPS}
    assert every - groups == {"des/proof"}, "a TAC takes two halves of a key"
    assert not groups - every
    assert len(VECTORS) == len(FILE["vectors"])


def test_pins_have_four_to_sixteen_digits_under_each_suite() -> None:
    for kind in KINDS:
        pins = [vector["input"]["pin"] for name, vector in VECTORS.items() if name.startswith(f"{kind.name}/pin/")]
        assert {len(pin.rstrip("F")) for pin in pins} == set(range(4, 17))


def test_every_length_of_a_factor_is_among_the_vectors() -> None:
    for kind in KINDS:
        for group in ("session-key", "authenticate", "message", "pin"):
            lengths = {
                len(vector["input"]["factor"]) // 2
                for name, vector in VECTORS.items()
                if name.startswith(f"{kind.name}/{group}/")
            }
            assert lengths == set(kind.suite.challenge_lengths), (kind.name, group)


def test_the_text_has_every_vector(sscard: CommandLine) -> None:
    code, out, _ = sscard("hsm", "vectors")
    assert code == 0
    assert re.findall(r"^(\S+/\S+) ", out, re.MULTILINE) == list(VECTORS)
    assert "refused: the key is not for this operation" in out


# Vectors of a key file


@pytest.fixture
def other_keys(tmp_path: Path) -> Path:
    file = tmp_path / "keys.yaml"
    file.write_text(OTHER_KEYS)
    return file


def test_vectors_of_a_key_file_contain_no_key(sscard: CommandLine, other_keys: Path) -> None:
    code, out, _ = sscard("hsm", "vectors", "--keys", other_keys, "--json")
    assert code == 0
    made = {vector["id"]: vector for vector in json.loads(out)["vectors"]}
    assert all(vector["for_hsm"] for vector in made.values())
    assert {name.rpartition("/")[0] for name in made} == {
        "des/message", "des/pin", "des/refused", "sm4/authenticate", "sm4/message", "sm4/pin", "sm4/refused",
    }  # fmt: skip
    own = ReferenceHsm(other_keys)
    secrets = {
        own.card_key(algorithm, key, 0, vector["input"]["city_code"], bytes.fromhex(vector["input"]["serial"]), levels)
        for vector in made.values()
        for algorithm, key in ((1, "STK"), (3, "STK"), (3, "PUK"))
        for levels in range(4)
    }
    assert len(secrets) > 10
    assert not [key.hex() for key in secrets if key.hex().upper() in out.upper()]
    for vector in made.values():
        if "result" in vector:
            assert asked_of(own, vector) == vector["result"]


def test_an_id_asks_the_same_with_every_key_file(sscard: CommandLine, other_keys: Path) -> None:
    __, out, __ = sscard("hsm", "vectors", "--keys", other_keys, "--json")
    for vector in json.loads(out)["vectors"]:
        assert VECTORS[vector["id"]]["input"] == vector["input"]
        assert VECTORS[vector["id"]].get("result") != vector.get("result") or "refused" in vector


def test_a_key_file_without_a_key_of_the_vectors_is_refused(sscard: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "keys.yaml"
    file.write_text(f"name: one\nkeys:\n  - {{name: XK, use: mac, addresses: [2001], sm4: [{'00' * 16}]}}\n")
    code, out, err = sscard("hsm", "vectors", "--keys", file)
    assert (code, out) == (2, "")
    assert "'one' holds no key that a vector needs" in err
