"""Defects of the PSAM: purchases, keys."""

from __future__ import annotations

from sscard.chip.answers import OK, WRONG_STATE
from sscard.psam import purchase, sessionkey
from sscard.psam.keys import KeyRecord
from sscard.psam.layout import TERMINAL_SEQUENCE
from sscard.psam.session import PsamSession
from sscard.scenario.defect_parts import Part
from sscard.scenario.defects.catalogue import Catalogue, Patch
from sscard.standard.cipher import FACTOR_LENGTH, BlockKey, Suite

catalogue = Catalogue(Part.PSAM)


@catalogue.defect("driver-api.md §8: CREDIT SAM FOR PURCHASE refuses a wrong MAC2 (9302)", "wrong-mac2")
def psam_takes_a_wrong_mac2(patch: Patch) -> None:
    """CREDIT SAM FOR PURCHASE accepts a wrong MAC2."""
    patch.attribute(purchase, "equal", lambda *_: True)


@catalogue.defect("driver-api.md §8: a wrong MAC2 ends the purchase", "wrong-mac2")
def purchase_survives_a_wrong_mac2(patch: Patch) -> None:
    """After a wrong MAC2 the purchase can still be completed."""

    def run(session: PsamSession) -> bytes:
        begun = session.process
        answered = original(session)
        if answered != OK:
            session.process = begun
        return answered

    original = purchase.CREDIT_SAM_FOR_PURCHASE.run
    patch.command(purchase.CREDIT_SAM_FOR_PURCHASE, run)


@catalogue.defect("driver-api.md §8: CREDIT SAM FOR PURCHASE needs a begun purchase (6901)", "psam-application")
def credit_without_a_purchase_is_accepted(patch: Patch) -> None:
    """CREDIT SAM FOR PURCHASE answers 9000 although no purchase is begun."""

    def run(session: PsamSession) -> bytes:
        answered = original(session)
        return OK if answered == WRONG_STATE else answered

    original = purchase.CREDIT_SAM_FOR_PURCHASE.run
    patch.command(purchase.CREDIT_SAM_FOR_PURCHASE, run)


@catalogue.defect("driver-api.md §8: the terminal sequence number is never used twice", "psam-keeps or wrong-mac2")
def terminal_sequence_stays(patch: Patch) -> None:
    """The PSAM does not increment its terminal sequence number."""

    def run(session: PsamSession) -> bytes:
        before = session.content(TERMINAL_SEQUENCE)
        answered = original(session)
        if answered.endswith(OK):
            session.memory.put_string(session.file_cell(TERMINAL_SEQUENCE), before)
        return answered

    original = purchase.INIT_SAM_FOR_PURCHASE.run
    patch.command(purchase.INIT_SAM_FOR_PURCHASE, run)


@catalogue.defect("driver-api.md §8: a purchase key of an unknown version is refused (6A88)", "psam-application")
def unknown_version_of_a_psam_key_means_the_first(patch: Patch) -> None:
    """A PSAM key of an unknown version is replaced by version 1."""

    def find_key(session: PsamSession, kind: int, number: int) -> KeyRecord | None:
        found: KeyRecord | None = original(session, kind, number) or original(session, kind, 1)
        return found

    original = patch.attribute(PsamSession, "find_key", find_key)


@catalogue.defect("driver-api.md §5: the factors are applied as province, city, card", "08-driver-psam and reset")
def psam_applies_the_factors_in_the_wrong_order(patch: Patch) -> None:
    """The PSAM applies the diversification factors in the order card, city, province."""

    def card_key(suite: Suite, record: KeyRecord, factors: bytes) -> BlockKey:
        each = [factors[start : start + FACTOR_LENGTH] for start in range(0, len(factors), FACTOR_LENGTH)]
        return original(suite, record, b"".join(reversed(each)))

    original = sessionkey.card_key
    patch.function(original, card_key)


DEFECTS = tuple(catalogue.defects)
