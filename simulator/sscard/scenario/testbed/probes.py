"""What a card shows of its choices without keys: each function asks for those of its row in the table of probes."""

from __future__ import annotations

from typing import Final

from sscard.i18n.phrase import Phrase
from sscard.scenario.testbed.probed_card import ALIKE, FACTOR, NAMES, ProbedCard, Unclear
from sscard.standard.apdu import SW, command, tries_in
from sscard.standard.applications import DF03, DF04, DF05, DF06, FINANCIAL_NAME
from sscard.standard.certificates import BANK, CERTIFICATE_DFS
from sscard.standard.cipher import SUITES
from sscard.standard.encoding import decode_an
from sscard.standard.generations import GENERATIONS
from sscard.standard.tree import MF, SSSE_BELOW_MF, SSSE_NAME
from sscard.terminal.errors import ApduError
from sscard.terminal.flows import CHANGE

FID, PROPRIETARY, NAME, ISSUER_DATA, ALGORITHM, DIRECTORY = 0x6F, 0xA5, 0x84, 0x9F0C, 0x86, 0x88
"""Tags of an FCI."""
UNKNOWN_VERSION: Final = b"\x7f"
MOST_VERSIONS: Final = 3
DSK_PROOF: Final = "0082008711" + "00" * 16 + "01"
"""A wrong proof of version 1 of DSK, a key without a retry counter."""
NO_CHALLENGE: Final = (SW.NO_CHALLENGE, SW.CONDITIONS_NOT_SATISFIED)
LONG_UID, SHORT_UID = 7, 4
THREE_DIGITS: Final = bytes.fromhex("123F")
ONE_DIGIT: Final = bytes.fromhex("1F")


def objects(data: bytes) -> dict[int, bytes]:
    """The values of TLV objects by tag, of one or two bytes; what is cut short is left out."""
    found: dict[int, bytes] = {}
    while len(data) > 1:
        size = 2 if data[0] & 0x1F == 0x1F else 1
        start = size + 1
        if len(data) < start or len(data) < start + data[size]:
            break
        found[int.from_bytes(data[:size], "big")] = data[start : start + data[size]]
        data = data[start + data[size] :]
    return found


def fci(card: ProbedCard) -> None:
    """The FCI of SSSE; without an algorithm in it, whether the card gives 16 bytes of challenge."""
    proprietary = objects(objects(card.fci).get(FID, b"")).get(PROPRIETARY, b"")
    shown = f"FCI {card.fci.hex().upper()}"
    held = objects(proprietary)
    card.see("dir_sfi", int.from_bytes(held.get(DIRECTORY, b""), "big"), shown)
    named = objects(held.get(ISSUER_DATA, b"")).get(ALGORITHM, b"")
    card.see("fci_algorithm", bool(named), shown)
    if named:
        suite = SUITES.get(int.from_bytes(named, "big"))
        card.see("algorithm", suite.name if suite else None, shown)
        return
    longest = max(length for suite in SUITES.values() for length in suite.challenge_lengths)
    sw = card.raw(command(0x00, 0x84, 0, 0, le=longest)).sw
    card.see_case("algorithm", sw, {SW.OK: "SM4", SW.WRONG_LENGTH: "DES"})


def generation(card: ProbedCard) -> None:
    """Item 03 of EF05."""
    answer = card.ask("00B2032800")
    if answer.sw != SW.OK:
        raise ApduError(Phrase("read {file}", file="EF05"), answer.sw)
    version = decode_an(answer.data[2:])[:3]
    card.see("generation", version if version in GENERATIONS else None)


def ssse_fid(card: ProbedCard) -> None:
    """SELECT of the MF, then of the FIDs that SSSE may have below it: which of them is SSSE?"""
    for fid in dict.fromkeys((MF, SSSE_BELOW_MF, card.claim.get("ssse_fid", MF))):
        answer = card.ask(command(0x00, 0xA4, 0, 0, fid.to_bytes(2, "big")))
        if objects(objects(answer.data).get(FID, b"")).get(NAME) == SSSE_NAME:
            card.see("ssse_fid", fid)
            return
    raise Unclear(Phrase("SSSE lies below the MF with another FID than those that were tried"))


def _present(card: ProbedCard, name: bytes) -> bool:
    sw = card.ask(command(0x00, 0xA4, 0x04, 0, name)).sw
    if sw in (SW.OK, SW.APPLICATION_BLOCKED, SW.FILE_NOT_FOUND):
        return sw != SW.FILE_NOT_FOUND
    raise ApduError(Phrase("SELECT by name"), sw)


def applications(card: ProbedCard) -> None:
    """SELECT by name of what a card may have: DF05, DF06, the financial, bank and certificate applications."""
    aids = {"financial": FINANCIAL_NAME, "bank_application": BANK.aid, "certificates": CERTIFICATE_DFS[0].aid}
    for name in ("financial", "bank_application"):
        card.see(name, _present(card, aids[name]))
    stub = _present(card, aids["certificates"])
    card.see("certificate_application", "stub" if stub else "absent")
    health, more = (_present(card, NAMES[df]) for df in (DF05, DF06))
    shown = card.last(2)
    card.see("optional_applications", None if more and not health else more, shown)
    if more:
        raise Unclear(ALIKE)
    card.see("health_application", health, shown)


def key_versions(card: ProbedCard) -> None:
    """INTERNAL AUTHENTICATION without a version, with the first, with the last, and with one that nobody has."""
    without, first, *more = [
        card.ask(command(0x00, 0x88, 0, 0, FACTOR + FACTOR + version))
        for version in (b"", *(bytes((number,)) for number in range(1, MOST_VERSIONS + 1)))
    ]
    last = next((answer for answer in reversed(more) if answer.sw == SW.OK), first)
    shown = card.last(MOST_VERSIONS + 1)
    sw = card.ask(command(0x00, 0x88, 0, 0, FACTOR + FACTOR + UNKNOWN_VERSION)).sw
    card.see_status("unknown_key_version", sw)
    if first.sw != SW.OK or first == last:
        raise Unclear(Phrase("the card has one version of the key"))
    card.see("default_key_version", {first.data: "lowest", last.data: "newest"}.get(without.data), shown)


def refusals(card: ProbedCard) -> None:
    """Commands that a card refuses in any state, each with the status word that is its choice."""
    card.see_status("reload_pin", card.raw("805E000003000000").sw)
    card.see_status("unknown_ins", card.raw("001C000000").sw)
    card.see_status("select_ef_as_file", card.raw("00A4000002EF05").sw)
    card.see_status("reserved_key", card.raw("0082000010" + "00" * 16).sw)
    sw = card.raw("04DC01EC0702013100000000").sw  # a file that does not exist, and no right to write
    known = (SW.SECURITY_NOT_SATISFIED, SW.FILE_NOT_FOUND, SW.NO_CHALLENGE, SW.WRONG_SECURE_MESSAGE, SW.MAC_MISSING)
    card.see("updates_need_mac", False if sw == SW.UNKNOWN_CLA else True if sw in known else None)


def children(card: ProbedCard) -> None:
    """SELECT with P1=01 of a child of SSSE; in it, of its sibling, and of the MF."""
    found = (SW.OK, SW.APPLICATION_BLOCKED)
    sw = card.raw(command(0x00, 0xA4, 0x01, 0, DF03.to_bytes(2, "big"))).sw
    if sw not in found:
        card.see_case("select_child", sw, {SW.WRONG_P1P2: "6A86"})
        return
    card.begin(DF03)
    sw = card.raw(command(0x00, 0xA4, 0x01, 0, DF04.to_bytes(2, "big"))).sw
    if sw not in found:
        card.see_case("select_child", sw, {SW.FILE_NOT_FOUND: "children"})
        return
    card.begin(DF03)
    sw = card.raw(command(0x00, 0xA4, 0x01, 0, MF.to_bytes(2, "big"))).sw
    card.see_case("select_child", sw, {SW.OK: "FID", SW.APPLICATION_BLOCKED: "FID", SW.FILE_NOT_FOUND: "siblings"})


def record_length(card: ProbedCard) -> None:
    """READ RECORD of item 07 of EF05, 11 bytes, with Le=05 and with Le=00."""
    answer = card.raw("00B2072805")
    short = len(answer.data) if answer.sw == SW.OK else -1
    if short > 5:
        raise Unclear(Phrase("the reader repeats a command that the card answers with 6Cxx"))
    value = "6Cxx" if answer.sw >> 8 == SW.WRONG_LE >> 8 else "truncate" if short == 5 else None
    card.see("short_record_le", value)
    sw = card.raw("00B2072800").sw
    name = "whole_record_contact" if card.contact else "whole_record_contactless"
    card.see(name, True if sw == SW.OK else False if sw >> 8 == SW.WRONG_LE >> 8 else None)
    raise Unclear(Phrase("needs the other interface of the card"))


def uid(card: ProbedCard) -> None:
    """The UID, which a contactless reader returns."""
    if card.contact:
        raise Unclear(Phrase("needs the other interface of the card"))
    answer = card.raw("FFCA000000")
    if answer.sw != SW.OK:
        raise Unclear(Phrase("the reader does not return the UID of the card"))
    card.see_case("long_uid", len(answer.data), {SHORT_UID: False, LONG_UID: True})


def challenge(card: ProbedCard) -> None:
    """Wrong proofs of DSK: without a challenge, with one, with the same one again, and after another command."""
    card.begin(DF04)
    sw = card.raw(DSK_PROOF).sw
    card.see_status("no_challenge_external", sw)
    missing = sw
    card.raw("0084000008")
    wrong = card.raw(DSK_PROOF).sw
    card.see_status("uncounted_failure", wrong)
    again = card.raw(DSK_PROOF).sw
    shown = card.last(2)
    if wrong == missing or card.value("uncounted_failure") is None:
        raise Unclear(Phrase("the answers to a wrong proof do not show whether the card has a challenge"))
    if again == wrong:
        card.see("challenge_lasts", "success", shown)
        return
    card.raw("0084000008")
    card.raw("0020000000")
    sw = card.raw(DSK_PROOF).sw
    found = {missing: "command", wrong: "use"} if again == missing else {}
    card.see("challenge_lasts", found.get(sw), f"{shown}; {card.last(3)}")


# With the PIN


def pin_limit(card: ProbedCard) -> None:
    """The tries left after the PIN was verified: first while it is, then after a reset."""
    card.need_pin()
    card.verify()
    sw = card.raw("0020000000").sw
    verified = True if sw == SW.OK else None if tries_in(sw) is None else False
    card.see("verified_query_ok", verified)
    card.begin()
    card.see("pin_tries", tries_in(card.raw("0020000000").sw))


def failed_verify(card: ProbedCard) -> None:
    """A wrong PIN after the right one: is it still verified?"""
    card.spare_tries(1)
    card.begin(DF04)
    card.verify()
    try:
        if not card.verified():
            raise Unclear(Phrase("the right to read DF04/EF05 does not follow from the PIN"))
        card.fail()
        card.see("failed_verify_clears", not card.verified())
    finally:
        card.verify()


def same_pin(card: ProbedCard) -> None:
    """CHANGE PIN from the PIN to itself, or to another one and back, and what it does to "PIN verified"."""
    card.need_pin()
    card.begin(DF04)
    sw = card.change(card.pin, card.pin)
    card.see_case("same_pin_allowed", sw, {SW.OK: True, SW.WRONG_DATA: False})
    same = card.value("same_pin_allowed")
    if same is None:
        raise Unclear(Phrase("CHANGE PIN cannot be used"))
    if not same:
        card.need("may_write")
    new = card.pin if same else card.another_pin
    after = []
    for verified in (False, True):
        card.begin(DF04)
        if verified:
            card.verify()
        sw = card.change(card.pin, new)
        if sw != SW.OK:
            raise ApduError(CHANGE, sw)
        with card.changed(new):
            after.append(card.verified())
    effects = {(True, True): "set", (False, True): "keep", (False, False): "clear"}
    card.see("change_pin_status", effects.get((after[0], after[1])))


def short_pin(card: ProbedCard) -> None:
    """CHANGE PIN to three digits: with a wrong old PIN, so that the PIN stays, if the card checks the new one first."""
    card.spare_tries(1)
    wrong = card.another_pin
    try:
        if card.try_change(wrong, ONE_DIGIT) == SW.WRONG_DATA:
            card.verify()
            sw = card.try_change(wrong, THREE_DIGITS)
            value = 4 if sw == SW.WRONG_DATA else None if tries_in(sw) is None else 3
            card.see("pin_min_digits", value)
            return
    finally:
        card.verify()
    card.need("may_write")
    sw = card.try_change(card.pin, THREE_DIGITS)
    card.see_case("pin_min_digits", sw, {SW.OK: 3, SW.WRONG_DATA: 4})


def absent_old_pin(card: ProbedCard) -> None:
    """CHANGE PIN without the old PIN, while one is set."""
    card.spare_tries(1)
    sw = card.try_change(b"", card.another_pin)
    value = False if sw == SW.WRONG_DATA else None if tries_in(sw) is None else True
    card.see("absent_old_pin_counts", value)
    card.verify()
