"""Recorded commands with a proof, MAC or cipher text over a random number of the card, made anew for the present one.

The HSM computes them, without the code of the terminal. ``FORMS`` has the commands that are known; a right one stays
right, and a wrong one stays wrong in the same way, because the card may look at a part of it only.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from sscard.card import Personality
from sscard.card.commands import CardCommand
from sscard.card.commands.authenticate import EXTERNAL_AUTHENTICATION
from sscard.card.commands.block import APPLICATION_BLOCK, CARD_BLOCK
from sscard.card.commands.certificates import VERIFY_CERTIFICATE_PIN
from sscard.card.commands.medical_load import CREDIT_FOR_LOAD, INITIALIZE_FOR_LOAD
from sscard.card.commands.medical_purchase import DEBIT_FOR_PURCHASE, INITIALIZE_FOR_PURCHASE
from sscard.card.commands.pin import PIN_CHANGE_UNBLOCK
from sscard.card.commands.update import UPDATE_BINARY_WITH_MAC, UPDATE_RECORD_WITH_MAC
from sscard.conversation.redaction import DATA
from sscard.errors import InputError, PhrasedError
from sscard.hsm import Hsm, HsmError, HsmUnavailable
from sscard.hsm.protocol import locator
from sscard.i18n.phrase import Phrase
from sscard.issuer import CardReference
from sscard.standard.certificates import CRYPTOGRAM_LENGTH, cryptogram
from sscard.standard.cipher import AUTHENTICATION_LENGTH, MAC_LENGTH, SUITES_BY_NAME, Suite
from sscard.standard.keys import ROOT_OF
from sscard.standard.tree import LOAD_TYPES, PURCHASE_TYPES, DfSpec, Layout, Purpose

LOCAL: Final = 0x80
"""Bit of P2: a key of the current DF, else of SSSE."""
MOST_ALTERED: Final = 1
"""Bytes in which a proof that was made wrong differs from the right one; one of another key differs in more."""
LOAD_SENT, LOAD_OPENING = 11, slice(4, 12)
PURCHASE_SENT, PURCHASE_OPENING = 19, slice(14, 22)
"""Length of the data of INITIALIZE, and where its answer has count(2) ‖ key version(1) ‖ algorithm(1) ‖ random(4)."""
OPENING_LENGTH: Final = 8


class NotRenewable(PhrasedError):
    """A recorded command cannot be computed for another random number."""


UNKNOWN_PIN: Final = Phrase("the PIN in its cipher text is not known")
UNKNOWN_FORM: Final = Phrase("no way is known to compute it for another random number")


class Given(NamedTuple):
    """A random number that the card gave in the scenario, and the one in its place now.

    That of an account is the data of INITIALIZE and the answer to it.
    """

    recorded: bytes
    now: bytes


Recipe = Callable[[CardReference, bytes], bytes]
"""Makes a whole command for a card and a random number. Errors: those of the HSM, ``ValueError``."""


class Recipes(NamedTuple):
    """How a command can have been made: as meant, the likeliest first, or with another key.

    ``meant`` has several if what it carries is not known; ``opaque`` keeps a cipher text as it is.
    """

    meant: Sequence[Recipe]
    others: Sequence[Recipe] = ()
    opaque: Recipe | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What a scenario may put into a cipher text: PINs as cn, and cipher texts that it states itself."""

    pins: Collection[bytes] = field(repr=False)
    enciphered: Collection[bytes] = ()


class Renewal:
    """The random numbers of a card in a scenario and now, and the commands over them.

    ``before`` is the card of the scenario, ``now`` the present one.
    """

    def __init__(
        self,
        hsm: Hsm,
        personality: Personality,
        layout: Layout,
        before: CardReference,
        now: CardReference,
        known: Known,
    ) -> None:
        self._hsm = hsm
        self._locate = locator(hsm)
        self.suite: Suite = SUITES_BY_NAME[personality.algorithm]
        self.personality = personality
        self.layout = layout
        self.known = known
        self._before, self._now = before, now
        self._challenges: list[Given] = []
        self._openings: list[Given] = []

    def follow(self, declared: CardCommand, sent: bytes, recorded: bytes, now: bytes) -> None:
        """Keep the random number in the data that the card answered to a command, in the scenario and now."""
        if declared.gives_challenge:
            self._challenges.append(Given(recorded, now))
        elif declared in (INITIALIZE_FOR_LOAD, INITIALIZE_FOR_PURCHASE):
            data = sent[DATA : DATA + sent[DATA - 1]]
            self._openings.append(Given(data + recorded, data + now))

    def command(self, declared: CardCommand, recorded: bytes, df: DfSpec | None, *, is_right: bool) -> bytes:
        """A recorded command for the random number of now.

        A wrong proof stays wrong, unless the scenario has a right one there: then only the terminal can have made it
        wrong. Errors: ``NotRenewable``, ``HsmUnavailable``.
        """
        randoms = self._openings if declared in (CREDIT_FOR_LOAD, DEBIT_FOR_PURCHASE) else self._challenges
        if not randoms or len(recorded) <= DATA or len(recorded) < DATA + recorded[DATA - 1]:
            return recorded  # wrong for every random number
        if declared not in FORMS:
            raise NotRenewable(UNKNOWN_FORM)
        end = DATA + recorded[DATA - 1]
        body, rest = recorded[:end], recorded[end:]
        recipes = FORMS[declared](self, body, df)
        last = randoms[-1]
        likely = [(recipe, last) for recipe in recipes.meant]
        likely += [(recipe, given) for given in reversed(randoms[:-1]) for recipe in recipes.meant]
        if is_right:
            return self._right(recipes, likely, last, body) + rest
        found = self._nearest(likely, body) or self._nearest([(recipe, last) for recipe in recipes.others], body)
        if (
            found is None
            and recipes.opaque is not None
            and (opaque := self._nearest([(recipes.opaque, given) for given in reversed(randoms)], body))
        ):
            if body[DATA:-MAC_LENGTH] not in self.known.enciphered:
                raise NotRenewable(UNKNOWN_PIN)
            found = opaque
        if found is None:
            return recorded
        recipe, given, altered = found
        made = self._made(recipe, self._now, given.now)
        if made is None or len(made) != len(body):
            raise NotRenewable(UNKNOWN_FORM)
        return bytes(left ^ right for left, right in zip(made, altered, strict=True)) + rest

    def _right(self, recipes: Recipes, likely: list[tuple[Recipe, Given]], last: Given, body: bytes) -> bytes:
        """The command as the card takes it, over the last random number."""
        found = self._nearest(likely, body)
        recipe = found[0] if found else recipes.meant[0] if recipes.meant else None
        if recipe is None or (found is None and recipes.opaque is not None):
            raise NotRenewable(UNKNOWN_PIN if recipes.opaque else UNKNOWN_FORM)
        made = self._made(recipe, self._now, last.now)
        if made is None:
            raise NotRenewable(UNKNOWN_FORM)
        return made

    def _nearest(self, ways: Iterable[tuple[Recipe, Given]], body: bytes) -> tuple[Recipe, Given, bytes] | None:
        """The way in which a command was made, and the bits that were altered then; ``None`` if it is no known one."""
        altered: tuple[Recipe, Given, bytes] | None = None
        for recipe, given in ways:
            made = self._made(recipe, self._before, given.recorded)
            if made is None or len(made) != len(body):
                continue
            bits = bytes(left ^ right for left, right in zip(made, body, strict=True))
            different = len(bits) - bits.count(0)
            if not different:
                return recipe, given, bits
            if altered is None and different <= MOST_ALTERED:
                altered = recipe, given, bits
        return altered

    def _made(self, recipe: Recipe, card: CardReference, random: bytes) -> bytes | None:
        """What a recipe makes; ``None`` if the HSM or the arithmetic refuses it."""
        try:
            return recipe(card, random)
        except HsmUnavailable:
            raise
        except (HsmError, InputError, ValueError):
            return None

    def proof(self, key: str, version: int, card: CardReference, factor: bytes, original: bytes) -> bytes:
        """Authentication data(8) ‖ original data(8)."""
        address = self._locate(ROOT_OF.get(key, key), version)
        return self._hsm.authentication_data(self.suite.algorithm_id, address, card, factor, original)

    def sealed(self, key: str, card: CardReference, factor: bytes, header: bytes, pin: bytes | None = None) -> bytes:
        """A command with its MAC, and the PIN enciphered."""
        address = self._locate(key, 0)
        return self._hsm.safe_message(self.suite.algorithm_id, address, card, factor, header, pin)

    def account_mac(self, key: str, card: CardReference, opening: bytes, end: bytes, message: bytes) -> bytes:
        """A MAC of a load or purchase; ``end`` are the last two bytes of its factor."""
        if len(opening) != OPENING_LENGTH:
            raise ValueError("the answer is that of no INITIALIZE of this kind")
        address = self._locate(key, opening[2] - 1 if opening[2] else 0)
        factor = opening[4:] + opening[:2] + end
        return self._hsm.purchase_mac(self.suite.algorithm_id, address, card, factor, message)


def _authentication(renewal: Renewal, sent: bytes, df: DfSpec | None) -> Recipes:
    layout, number = renewal.layout, sent[3]
    original = sent[DATA + AUTHENTICATION_LENGTH : DATA + 2 * AUTHENTICATION_LENGTH]
    stated = sent[DATA + 2 * AUTHENTICATION_LENGTH :]
    ssse = layout.ssse.fid
    index = layout.key(df.fid if df and number & LOCAL else ssse, number)

    def by(key: str, version: int) -> Recipe:
        return lambda card, factor: sent[:DATA] + renewal.proof(key, version, card, factor, original) + stated

    meant: list[Recipe] = []
    others: list[Recipe] = []
    for place, key in enumerate(layout.keys):
        versions = [*range(key.versions)]
        if renewal.personality.default_key_version != "lowest":
            versions.reverse()
        if stated and 1 <= stated[0] <= key.versions:
            versions.sort(key=lambda version: version != stated[0] - 1)
        if key.purpose == Purpose.EXTERNAL:
            (meant if place == index else others).extend(by(key.name, version) for version in versions)
    return Recipes(meant, others)


def _mac_keys(layout: Layout, df: DfSpec | None, *, local: bool) -> list[str]:
    """The keys for MACs, that of the current DF or of SSSE first."""
    names = [key.name for key in layout.keys if key.purpose == Purpose.MAC]
    own = f"STK{df.name}" if df and local else ""
    return sorted(names, key=lambda name: name != (own if own in names else "STK"))


def _sealed(renewal: Renewal, keys: list[str], header: bytes) -> Recipes:
    """A command with plain data and a MAC."""

    def by(key: str) -> Recipe:
        return lambda card, factor: renewal.sealed(key, card, factor, header)

    return Recipes([by(keys[0])], [by(key) for key in keys[1:]])


def _locking(renewal: Renewal, sent: bytes, df: DfSpec | None) -> Recipes:
    keys = _mac_keys(renewal.layout, df, local=sent[1] == APPLICATION_BLOCK.ins)
    return _sealed(renewal, keys, sent[:-MAC_LENGTH])


def _update(renewal: Renewal, sent: bytes, df: DfSpec | None) -> Recipes:
    return _sealed(renewal, _mac_keys(renewal.layout, df, local=True), sent[:-MAC_LENGTH])


def _change_unblock(renewal: Renewal, sent: bytes, df: DfSpec | None) -> Recipes:
    keys = _mac_keys(renewal.layout, df, local=False)
    shown = _sealed(renewal, keys, sent[:-MAC_LENGTH])
    length = len(sent) - DATA - MAC_LENGTH
    if not length:
        return shown
    block = renewal.suite.block

    def by(key: str, pin: bytes) -> Recipe:
        return lambda card, factor: renewal.sealed(key, card, factor, sent[:DATA], pin)

    pins = [pin for pin in renewal.known.pins if -(-(len(pin) + 1) // block) * block == length]
    others = [by(key, pin) for key in keys[1:] for pin in pins]
    return Recipes([by(keys[0], pin) for pin in pins], others, shown.meant[0])


def _certificate_pin(renewal: Renewal, sent: bytes, df: DfSpec | None) -> Recipes:
    def by(pin: bytes) -> Recipe:
        return lambda _card, challenge: sent[:DATA] + cryptogram(pin, challenge)

    if len(sent) != DATA + CRYPTOGRAM_LENGTH:
        return Recipes([])
    return Recipes([by(pin) for pin in renewal.known.pins])


def _credit(renewal: Renewal, sent: bytes, df: DfSpec | None) -> Recipes:
    time = sent[DATA:-MAC_LENGTH]

    def by(kind: bytes) -> Recipe:
        def made(card: CardReference, random: bytes) -> bytes:
            begun, opening = random[:LOAD_SENT], random[LOAD_SENT:][LOAD_OPENING]
            message = begun[1:5] + kind + begun[5:] + time
            return sent[:-MAC_LENGTH] + renewal.account_mac("DLK", card, opening, b"\x80\x00", message)

        return made

    return Recipes([by(kind) for kind in _kinds(renewal, LOAD_TYPES)])


def _debit(renewal: Renewal, sent: bytes, df: DfSpec | None) -> Recipes:
    sequence, time = sent[DATA : DATA + 4], sent[DATA + 4 : -MAC_LENGTH]

    def by(kind: bytes) -> Recipe:
        def made(card: CardReference, random: bytes) -> bytes:
            begun, opening = random[:PURCHASE_SENT], random[PURCHASE_SENT:][PURCHASE_OPENING]
            message = begun[1:13] + kind + begun[13:] + time
            return sent[:-MAC_LENGTH] + renewal.account_mac("DPK", card, opening, sequence[2:], message)

        return made

    return Recipes([by(kind) for kind in _kinds(renewal, PURCHASE_TYPES)])


def _kinds(renewal: Renewal, types: tuple[bytes, bytes]) -> tuple[bytes, ...]:
    return types[::-1] if renewal.personality.transaction_type_ascii else types


FORMS: Final[dict[CardCommand, Callable[[Renewal, bytes, DfSpec | None], Recipes]]] = {
    EXTERNAL_AUTHENTICATION: _authentication,
    PIN_CHANGE_UNBLOCK: _change_unblock,
    APPLICATION_BLOCK: _locking,
    CARD_BLOCK: _locking,
    UPDATE_BINARY_WITH_MAC: _update,
    UPDATE_RECORD_WITH_MAC: _update,
    CREDIT_FOR_LOAD: _credit,
    DEBIT_FOR_PURCHASE: _debit,
    VERIFY_CERTIFICATE_PIN: _certificate_pin,
}
"""How the commands that are declared ``bound_to_random`` are made, from a recorded one (without Le) and the DF."""
