"""A step: one verb and what must be true after it. State that it does not mention must not change."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, ClassVar, Final, NamedTuple

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from sscard.card import Snapshot
from sscard.document import Model
from sscard.errors import InvalidValue, suggestion
from sscard.fields import hidden
from sscard.i18n.phrase import Phrase, Sayable
from sscard.scenario.captures import SOURCE, Captures
from sscard.scenario.context import Bench
from sscard.scenario.expressions import EXAMPLE, MOST_TRIES, Number, Tries, computed
from sscard.scenario.state_words import READY, state_name
from sscard.service import Stage
from sscard.standard.apdu import SW, named_status
from sscard.standard.choices import CHOICES
from sscard.standard.encoding import InvalidPin, encode_pin
from sscard.standard.generations import GENERATIONS, build_layout
from sscard.standard.tree import MF, Layout, Purpose

SOME_WORDS = Phrase(
    "off, no-pin, blocked, card-blocked, DF03-blocked, verified, challenge, a key such as PUK; or ready alone"
)
STATE_WORDS = Phrase("write words of a state: {words}", words=SOME_WORDS)
BYTES = Phrase("write bytes as pairs of hex digits: 00 A4 02 00")
NO_ANSWER = "none"
_COUNTED: Final = re.compile(r"([0-9A-Fa-f]{3})\((.+)\)")
_DURATION: Final = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(ms|s)\s*")
ANY_BYTE, ANY_REST = "??", "..."


@cache
def _layouts() -> tuple[Layout, ...]:
    return tuple(build_layout(generation, MF, optional_applications=True) for generation in GENERATIONS)


@cache
def authenticated_keys() -> tuple[str, ...]:
    """The names of the keys that EXTERNAL AUTHENTICATION can prove, over all generations."""
    keys = [key.name for layout in _layouts() for key in layout.keys if key.purpose == Purpose.EXTERNAL]
    return tuple(dict.fromkeys(keys))


@cache
def application_names() -> tuple[str, ...]:
    """The names of the applications, as DF01, over all generations."""
    return tuple(dict.fromkeys(df.name for layout in _layouts() for df in layout.dfs if not df.ddf))


@cache
def lasting_words() -> tuple[str, ...]:
    """State words that a card keeps without power; ``DF03-blocked`` is a locked application."""
    return ("no-pin", "blocked", "card-blocked", *(f"{name}-blocked" for name in application_names()))


@cache
def all_words() -> tuple[str, ...]:
    """Every word of a state except ``ready``, in the order of reports."""
    pins = ("verified", "certificate-user", "certificate-administrator")
    return ("off", *lasting_words(), *pins, "challenge", *authenticated_keys())


def _bytes(text: object) -> bytes:
    digits = "".join(str(text).split())
    for place, char in enumerate(digits, 1):
        if char not in "0123456789abcdefABCDEF":
            raise InvalidValue(Phrase("no hex digit at position {place}", place=place), BYTES)
    if len(digits) % 2:
        raise InvalidValue(
            Phrase.plural("{count} hex digit, an odd number", "{count} hex digits, an odd number", count=len(digits)),
            BYTES,
        )
    return bytes.fromhex(digits)


def _pattern(text: str) -> str:
    """Bytes, ``??`` for any byte, ``...`` at the end for any number of bytes; normalised to single spaces."""
    open_end = text.rstrip().endswith(ANY_REST)
    digits = "".join(text.rstrip().removesuffix(ANY_REST).split())
    pairs = [digits[place : place + 2] for place in range(0, len(digits), 2)]
    known = _bytes("".join("00" if pair == ANY_BYTE else pair for pair in pairs))
    parts = [pair if pair == ANY_BYTE else f"{byte:02X}" for pair, byte in zip(pairs, known, strict=True)]
    return " ".join([*parts, ANY_REST] if open_end else parts)


def _pin(digits: str) -> str:
    try:
        encode_pin(digits)
    except InvalidPin as error:
        raise InvalidValue(
            error.said, Phrase("write 4 to 16 digits; other bytes can be sent with the verb apdu")
        ) from None
    return digits


def _given_pin(digits: str) -> str:
    if not digits:
        raise InvalidValue(Phrase("a PIN has 4 to 16 digits, got none"), Phrase("write 4 to 16 digits"))
    return _pin(digits)


def _status_word(text: object, info: ValidationInfo) -> int | None:
    if text == NO_ANSWER:
        return None
    digits = str(text)
    if counted := _COUNTED.fullmatch(digits):
        count = computed(counted[2], info)
        if not 0 <= count <= MOST_TRIES:
            raise InvalidValue(Phrase("a status word counts 0 to 15 tries, not {count}", count=hidden(count)), EXAMPLE)
        return int(counted[1], 16) << 4 | count
    if digits in CHOICES and CHOICES[digits].digits == 4:
        return computed(digits, info)
    if len(digits) != 4:
        raise InvalidValue(
            Phrase("not a status word"),
            Phrase("write four hex digits, as in 63C5, 63C(max - 1), or none if the power is cut"),
        )
    return int.from_bytes(_bytes(digits), "big")


def _tries(given: object, info: ValidationInfo) -> tuple[int, ...]:
    counts = given if isinstance(given, list) else [given]
    if isinstance(given, str) and re.fullmatch("[0-9 ]+", given):
        counts = given.split()
    tries = tuple(computed(str(count), info) for count in counts)
    if not tries or min(tries) < 0 or max(tries) > MOST_TRIES:
        counted = Phrase("write the tries left of each version of the key: 3, or 3 2 3")
        raise InvalidValue(Phrase("not a count"), counted)
    return tries


def _words(value: object) -> frozenset[str]:
    given = value if isinstance(value, list) else str(value).split()
    for word in given:
        if word not in (READY, *all_words()):
            raise InvalidValue(
                Phrase("unknown word {word!r}", word=hidden(word)), suggestion(str(word), all_words(), STATE_WORDS)
            )
    if not given or (READY in given and len(given) > 1):
        raise InvalidValue(Phrase("not a state"), STATE_WORDS)
    return frozenset(given) - {READY}


def _key(name: str) -> str:
    if name not in authenticated_keys():
        raise InvalidValue(
            Phrase("unknown key {name!r}", name=hidden(name)),
            suggestion(name, authenticated_keys(), Phrase("expected PUK, BK, UKSSSE, …")),
        )
    return name


def _nothing(text: str) -> str:
    if not text:
        return text
    raise InvalidValue(Phrase("this verb takes no value"), Phrase("write the verb and its colon only"))


def _seconds(text: object) -> float:
    found = _DURATION.fullmatch(str(text))
    if not found:
        raise InvalidValue(Phrase("not a time"), Phrase("write milliseconds or seconds: 200 ms, 1.5 s"))
    return float(found[1]) * (0.001 if found[2] == "ms" else 1)


Listed = BeforeValidator(lambda value: value if isinstance(value, list) else [value])
"""A single value is a list of one."""
Texts = Annotated[tuple[str, ...], Listed]
"""One text or a list of them."""
Duration = Annotated[float, BeforeValidator(_seconds)]
"""Seconds, written as ``200 ms`` or ``1.5 s``."""
Hex = Annotated[bytes, BeforeValidator(_bytes)]
Pattern = Annotated[str, AfterValidator(_pattern)]
Pin = Annotated[str, AfterValidator(_given_pin)]
"""A PIN of 4–16 digits."""
PinOrNone = Annotated[str, AfterValidator(_pin)]
"""A PIN of 4–16 digits, or empty for no PIN."""
StatusWord = Annotated[int | None, BeforeValidator(_status_word)]
KeyName = Annotated[str, AfterValidator(_key)]
KeyTries = Annotated[tuple[int, ...], BeforeValidator(_tries)]
State = Annotated[frozenset[str], BeforeValidator(_words)]
Nothing = Annotated[str, AfterValidator(_nothing)]
Count = Annotated[Number, Field(ge=0)]


class View(NamedTuple):
    """The state that steps are checked against: tries left of PIN and keys, state words, stage of the case."""

    card: Snapshot
    state: frozenset[str]
    stage: Stage | None

    @property
    def tries(self) -> int:
        return self.card.pin_tries


def view_of(snapshot: Snapshot, stage: Stage | None) -> View:
    """The view of a card and a case."""
    facts = {
        "off": not snapshot.powered,
        "no-pin": not snapshot.pin_set,
        "blocked": snapshot.pin_blocked,
        "card-blocked": snapshot.card_blocked,
        "verified": snapshot.pin_verified,
        "challenge": snapshot.challenge_waiting,
    }
    words = [word for word, so in facts.items() if so]
    words += [f"{name}-blocked" for name in snapshot.blocked_applications]
    words += [f"certificate-{which}" for which in snapshot.certificate_verified]
    return View(snapshot, frozenset((*words, *snapshot.authenticated)), stage)


def without_power(state: frozenset[str]) -> frozenset[str]:
    """The state words that remain when a card loses power."""
    return state.intersection(lasting_words()) | {"off"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """Outcome of a step: status word (``None``: no answer), data, and the values that were ``reported``.

    ``notice`` is the text for the citizen; ``failure`` is set if the step could not be executed, ``inconclusive`` if
    this is not the card's doing. ``unmet`` is an expectation that the step itself found to be unmet.
    """

    sw: int | None = SW.OK
    data: bytes = field(default=b"", repr=False)
    reported: dict[str, str] = field(default_factory=dict)
    notice: str = ""
    failure: Sayable = ""
    inconclusive: bool = False
    unmet: Sayable = ""

    def captured(self, source: str, tries: int) -> str | None:
        """A value as text to use in later steps: bytes in hex digits; ``None`` if the outcome has none."""
        found = SOURCE.fullmatch(source)
        assert found is not None
        name, first, colon, last = found.groups()
        if name == "data":
            data = self.data
            if "[" in source:
                start = int(first) if first else 0
                end = (int(last) if last else None) if colon else start + 1 or None
                data = data[start:end]
            return data.hex().upper() or None
        if name == "sw":
            return None if self.sw is None else f"{self.sw:04X}"
        return str(tries) if name == "tries" else self.reported.get(name)


@dataclass(frozen=True, slots=True)
class Mismatch:
    """An unmet expectation; ``field`` is the step's field that states it, of ``key`` if it has a value for each.

    ``write`` is the value that would meet it, as a scenario file has it; empty if none would.
    """

    field: str
    expected: Sayable
    actual: Sayable
    write: str = ""
    key: str = ""


class Step(Model):
    """What a step expects: success (9000) unless it states ``sw``, and that what it does not mention stays as it was.

    ``sw`` is ``none`` if the card must not answer. ``tries`` are those left of the PIN, ``key_tries`` of keys,
    ``certificate_tries`` of the user and the administrator PIN, ``state`` is the whole state, all after the step.
    ``capture`` keeps values under names, which later steps write as `${name}`. ``note`` is a comment.
    """

    verb: ClassVar[str]
    inserts: ClassVar[bool] = True
    """Whether the card is inserted first if a scenario begins with this step."""

    sw: StatusWord = SW.OK
    tries: Tries | None = None
    key_tries: dict[KeyName, KeyTries] = Field(default_factory=dict)
    certificate_tries: KeyTries | None = None
    state: State | None = None
    stage: Stage | None = None
    data: Pattern | None = None
    within: Duration | None = None
    capture: Captures = Field(default_factory=dict)
    note: str = ""

    def run(self, bench: Bench) -> Outcome:
        """Execute the step; raises on refusals of the card, power loss and similar."""
        raise NotImplementedError

    def title(self) -> Sayable:
        """The step in a few words, without secrets."""
        return self.verb

    def answers(self) -> dict[str, str]:
        """The expected values that the terminal or the service reports."""
        return {}

    def compared(self) -> frozenset[str]:
        """The names of the reported values that the step compares."""
        return frozenset(self.answers())

    def stated(self) -> frozenset[str]:
        """The names of the fields that the file gives, those of the verb's value included."""
        value = getattr(self, self.verb)
        return frozenset(self.model_fields_set | (value.model_fields_set if isinstance(value, Model) else set()))

    def refused(self, outcome: Outcome) -> list[Mismatch]:
        """An unexpected refusal: the reason why values that the step reports otherwise may be missing."""
        if outcome.sw == self.sw:
            return []
        written = NO_ANSWER if outcome.sw is None else f"{outcome.sw:04X}"
        return [Mismatch("sw", show_sw(self.sw), show_sw(outcome.sw), written)]

    def expected_state(self, before: frozenset[str], tries: int) -> frozenset[str]:
        """The expected state words: those stated, else those before the step; ``blocked`` follows ``tries``."""
        if self.state is not None:
            return self.state
        state = before if self.sw is not None else without_power(before)
        return state | {"blocked"} if tries == 0 else state - {"blocked"}

    def check(self, before: View, after: View, outcome: Outcome) -> list[Mismatch]:
        """All unmet expectations."""
        if problem := outcome.failure or outcome.unmet:
            return [Mismatch(self.verb, Phrase("the step is done"), problem)]
        tries = before.tries if self.tries is None else self.tries
        state = self.expected_state(before.state, tries)
        stage = self.stage or before.stage
        found = self.refused(outcome)
        for what, expected in self.answers().items():
            actual = outcome.reported.get(what)
            if actual is not None and actual != expected:
                found.append(Mismatch(what, expected, actual))
            elif actual is None and (not found or what in self.stated()):
                found.append(Mismatch(what, expected, Phrase("nothing, the step did not get so far")))
        if self.data is not None and not matches(self.data, outcome.data):
            data = outcome.data.hex(" ").upper()
            nothing = Phrase("no data")
            found.append(Mismatch("data", self.data or nothing, data or nothing, data or '""'))
        found += wrong_tries("tries", (tries,), (after.tries,))
        own = before.card.certificate_tries if self.certificate_tries is None else self.certificate_tries
        found += wrong_tries("certificate_tries", own, after.card.certificate_tries)
        if self.key_tries or after.card.counters != before.card.counters:
            for key, counts in (before.card.key_tries | self.key_tries).items():
                found += wrong_tries("key_tries", counts, after.card.key_tries.get(key, ()), key)
        if after.state != state:
            words = show_state(after.state)
            written = f"[{words.replace(' ', ', ')}]"
            found.append(Mismatch("state", state_name(show_state(state)), state_name(words), written))
        if after.stage != stage:
            written = after.stage.value if after.stage else ""
            found.append(Mismatch("stage", show_stage(stage), show_stage(after.stage), written))
        return found


def matches(pattern: str, data: bytes) -> bool:
    """Whether data matches a normalised pattern."""
    parts = pattern.split()
    open_end = parts[-1:] == [ANY_REST]
    parts = parts[:-1] if open_end else parts
    if len(data) < len(parts) or (len(data) > len(parts) and not open_end):
        return False
    return all(part in (ANY_BYTE, f"{byte:02X}") for part, byte in zip(parts, data, strict=False))


def show_sw(sw: int | None) -> Sayable:
    """A status word with its meaning."""
    return named_status(sw) if sw is not None else Phrase("no answer")


def show_tries(key: str, tries: tuple[int, ...]) -> Sayable:
    """Tries left of a key, one number per version."""
    return f"{key} {' '.join(map(str, tries))}".strip() if tries else Phrase("{key}: not on this card", key=key)


def wrong_tries(what: str, expected: tuple[int, ...], left: tuple[int, ...], key: str = "") -> list[Mismatch]:
    """The mismatch of the tries left of PINs, or of a ``key``, if there is one."""
    if left == expected:
        return []
    wanted, found = (show_tries(key or ("" if tries else what), tries) for tries in (expected, left))
    return [Mismatch(what, wanted, found, " ".join(map(str, left)), key)]


def show_state(words: frozenset[str]) -> str:
    """The words of a state in a fixed order."""
    return " ".join(sorted(words, key=all_words().index)) or READY


def show_stage(stage: Stage | None) -> Sayable:
    """A case's stage in words."""
    return stage.words if stage else Phrase("no case")
