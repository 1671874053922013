"""The PIN's life as the documents describe it: an oracle for any sequence of its commands.

Written from card-commands.md §0–2, card-files.md §1 and §3–5, card-security.md §1–6 and §9,
certificate-application.md §2–5, and open-choices.md §1 alone; it knows nothing of the chip, and no cryptography: the
caller says whether a proof or MAC is right and
what the enciphered block holds in plain. Status words are numbers.

Where the sheets leave two readings the one taken here is said beside it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sscard.model.choices import Effect
from sscard.model.files import OK, Files

TRIES = 0x63C0


@dataclass
class Oracle(Files):
    """A card; PINs are bytes cn, empty for none."""

    pin: bytes

    tries: int = 0
    puk_tries: int = 0
    verified: bool = False
    proven: set[str] = field(default_factory=set)
    challenge: bool = False
    unlocks: int = 0
    own_tries: dict[str, int] = field(default_factory=dict)
    own_verified: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.tries = self.choices.pin_tries
        self.puk_tries = self.choices.key_tries
        if self.choices.certificate_application == "stub":
            self.own_tries = self._own_limits()
        self.restart()

    # Power and selection: card-commands.md §1.1, §2, OC-9

    def power_on(self) -> None:
        self.verified = False
        self.own_verified = set()
        self.proven = set()
        self.challenge = False
        self.restart()

    def leave(self) -> None:
        """Challenge and statuses after the selection of another DF."""
        self.challenge = False
        if self.choices.select_keeps != "all":
            self.proven = set()
        if self.choices.select_keeps == "nothing":
            self.verified = False
            self.own_verified = set()

    # Challenge and proof: card-commands.md §1.6, §1.8, OC-10, OC-11, OC-12, OC-28

    def get_challenge(self, length: int) -> int:
        # Its cryptograms are of SM4, whatever the keys of SSSE are.
        if length not in ((4, 8) if self.block == 8 and not self.inside else (4, 8, 16)):
            return 0x6700
        self.challenge = True
        return OK

    def authenticate(self, key: str, right: bool, version: int | None = None) -> int:
        """EXTERNAL AUTHENTICATION with ``PUK``, ``BK`` or a key the card has not."""
        if self.inside:
            return self.choices.unknown_ins
        return self._spend(self._authenticate(key, right, version))

    def _authenticate(self, key: str, right: bool, version: int | None) -> int:
        if key not in ("PUK", "BK") or version not in (None, 1) or self.df == "MF":
            return 0x6A88
        if key == "PUK" and self.puk_tries == 0:
            return 0x6983
        if not self.challenge:
            return self.choices.no_challenge_external
        if right:
            self.proven.add(key)
            if key == "PUK":
                self.puk_tries = self.choices.key_tries
            return OK
        if self.choices.failed_authentication_clears:
            self.proven.discard(key)
        if key == "BK":
            return self.choices.uncounted_failure
        self.puk_tries -= 1
        return TRIES + self.puk_tries

    # VERIFY: card-commands.md §1.9, OC-3, OC-4, OC-5, OC-13

    def verify(self, data: bytes) -> int:
        if self.inside:  # the social PIN is not there, but VERIFY is, and a challenge is for it
            return self._spend(0x6A86)
        return self.after(self._verify(data))

    def _verify(self, data: bytes) -> int:
        if not data:
            return self._query()
        if not 2 <= len(data) <= 8:
            return 0x6700
        if self.df == "MF":
            return 0x6A88
        if self.tries == 0:
            return 0x6983
        if self.pin and data == self.pin:
            self.tries = self.choices.pin_tries
            self.verified = True
            return OK
        self._pay()
        # A VERIFY that compared and failed; one that met a blocked PIN (6983) compared nothing.
        if self.choices.failed_verify_clears:
            self.verified = False
        return TRIES + self.tries

    def _query(self) -> int:
        if self.df == "MF":  # SSSE's PIN is not valid in the MF above it
            return 0x6A88
        if not self.pin:
            return OK
        # Blocked and verified at once (wrong tries of CHANGE PIN): OC-3 before OC-4.
        if self.tries == 0:
            return self.choices.blocked_query
        if self.verified and self.choices.verified_query_ok:
            return OK
        return TRIES + self.tries

    def _pay(self) -> None:
        if self.pin or self.choices.empty_pin_counts:
            self.tries -= 1

    # CHANGE PIN: card-commands.md §1.10, OC-6, OC-15, OC-19, OC-19b, OC-35, OC-36

    def reload(self) -> int:
        """CHANGE PIN with P1=00."""
        if self.inside:
            return self.choices.unknown_ins
        return self.after(self.choices.reload_pin)

    def change(self, data: bytes) -> int:
        if self.inside:
            return self.choices.unknown_ins
        return self.after(self._change(data))

    def _change(self, data: bytes) -> int:
        if not 3 <= len(data) <= 17:
            return 0x6700
        if self.df == "MF":
            return 0x6A88
        if self.tries == 0:
            return 0x6983
        if b"\xff" not in data:
            return 0x6A80
        cut = data.index(b"\xff")
        old, new = data[:cut], data[cut + 1 :]
        if old and not digits(old):
            return 0x6A80
        if new and digits(new) < self.choices.pin_min_digits:
            return 0x6A80
        if not old and self.pin and not self.choices.absent_old_pin_counts:
            return 0x6A80
        if old != self.pin:
            self._pay()
            return TRIES + self.tries
        # The old PIN is proven first, as the general order puts the cryptogram before the data.
        if old == new and not self.choices.same_pin_allowed:
            return 0x6A80
        self._store(new, self.choices.change_pin_status)
        return OK

    # PIN CHANGE/UNBLOCK: card-commands.md §1.11, OC-6, OC-7, OC-8, OC-12, OC-12b, OC-14, OC-19, OC-20, OC-31, OC-42

    def unblock(self, right: bool) -> int:
        return self._spend(self._protected(None, right))

    def reset(self, plain: bytes, right: bool) -> int:
        """``plain`` is what the enciphered part holds, whole blocks, maybe none."""
        return self._spend(self._protected(plain, right))

    def _protected(self, plain: bytes | None, right: bool) -> int:
        # A blocked PUK is 6982 here, its status kept or not: 6983 is not in the list.
        if "PUK" not in self.proven or self.puk_tries == 0:
            return 0x6982
        if not self.challenge:
            return self.choices.no_challenge
        if not right:
            if self.choices.failed_mac_counts:
                self.puk_tries -= 1
            if self.choices.failed_mac_clears:
                self.proven.discard("PUK")
            return 0x6988
        if not self.pin and not self.choices.reset_empty_pin:
            return 0x6985
        if plain is None:
            self._store(self.pin, self.choices.reset_pin_status)
        else:
            pin = self._deciphered(plain)
            if pin is None:
                return 0x6A80
            self._store(pin, self.choices.reset_pin_status)
        if self.choices.unlock_limit:
            self.unlocks += 1
            if self.unlocks == self.choices.unlock_limit:  # the proof of the PUK answers 6983 from now on
                self.puk_tries = 0
        if self.choices.puk_once:
            self.proven.discard("PUK")
        return OK

    def _deciphered(self, plain: bytes) -> bytes | None:
        """The new PIN, or none where 6A80 is due."""
        if not plain:
            return b"" if self.choices.empty_pin_without_block else None
        length = plain[0]
        pin = plain[1 : 1 + length]
        if length > 8 or plain != padded(pin, self.block):
            return None
        if length == 0:
            return b"" if self.choices.empty_pin_as_block else None
        if digits(pin) < self.choices.pin_min_digits:
            return None
        if self.block == 8 and length == 8 and not self.choices.two_block_pin:
            return None
        if pin == self.pin and not self.choices.same_pin_allowed:
            return None
        return pin

    # The PINs of the certificate application: certificate-application.md §3, §5

    def verify_own(self, which: str, right: bool, length: int) -> int:
        """VERIFY of the ``user`` or ``administrator`` PIN; ``right`` is whether it fits the last challenge."""
        if not self.inside:
            return self.after(0x6A86)
        return self._spend(self._verify_own(which, right, length))

    def _verify_own(self, which: str, right: bool, length: int) -> int:
        if length != 16:
            return 0x6700
        if self.own_tries[which] == 0:
            return 0x6983
        if not self.challenge:
            return 0x6984
        if right:
            self.own_tries[which] = self._own_limits()[which]
            self.own_verified.add(which)
            return OK
        self.own_tries[which] -= 1
        self.own_verified.discard(which)
        return TRIES + self.own_tries[which]

    def _own_limits(self) -> dict[str, int]:
        user, administrator = self.choices.certificate_user_tries, self.choices.certificate_administrator_tries
        return {"user": user, "administrator": administrator}

    # Unknown commands: card-commands.md §0, OC-16

    def unknown_ins(self) -> int:
        return self.choices.unknown_ins

    def unknown_cla(self) -> int:
        return 0x6E00

    # What several commands do

    def _store(self, pin: bytes, effect: Effect) -> None:
        self.pin = pin
        self.tries = self.choices.pin_tries
        if effect != "keep":
            self.verified = effect == "set"

    def _spend(self, sw: int) -> int:
        """After a command that a challenge is for: any outcome ends it, or only success [OC-12]."""
        if sw == OK or self.choices.challenge_lasts != "success":
            self.challenge = False
        return sw

    def after(self, sw: int) -> int:
        """After a command that no challenge is for."""
        if self.choices.challenge_lasts == "command":
            self.challenge = False
        return sw


def digits(pin: bytes) -> int:
    """How many digits a PIN of 2–8 bytes cn has, 0 where it is none."""
    text = pin.hex()
    text = text[:-1] if text.endswith("f") else text
    return len(text) if 2 <= len(pin) <= 8 and all(digit in "0123456789" for digit in text) else 0


def padded(pin: bytes, block: int) -> bytes:
    """LD ‖ PIN, then 80 and 00 up to the block unless it is full already."""
    plain = bytes([len(pin)]) + pin
    if len(plain) % block:
        plain += b"\x80"
    while len(plain) % block:
        plain += b"\x00"
    return plain
