"""The table of probes: what a card shows of each choice, beside a claim; ``sscard probe`` prints it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from sscard.fields import FieldError
from sscard.hsm import Hsm, HsmError, HsmUnavailable
from sscard.i18n.phrase import Sayable
from sscard.issuer.personalities import PRESETS, check_generation, written_fields
from sscard.scenario.testbed import key_probes, probes
from sscard.scenario.testbed.probed_card import Permissions, ProbedCard, Unclear
from sscard.standard.choices import CHOICES, Personality
from sscard.standard.cipher import SUITES_BY_NAME
from sscard.terminal.errors import ApduError
from sscard.transport.connection import Connection

Probe = Callable[[ProbedCard], None]

PROBES: Final[tuple[tuple[Probe, tuple[str, ...]], ...]] = (
    (probes.fci, ("algorithm", "fci_algorithm", "dir_sfi")),
    (probes.generation, ("generation",)),
    (probes.ssse_fid, ("ssse_fid",)),
    (
        probes.applications,
        (
            "optional_applications",
            "health_application",
            "financial",
            "bank_application",
            "certificate_application",
        ),
    ),
    (probes.key_versions, ("default_key_version", "unknown_key_version")),
    (probes.refusals, ("reload_pin", "unknown_ins", "select_ef_as_file", "reserved_key", "updates_need_mac")),
    (probes.children, ("select_child",)),
    (probes.record_length, ("short_record_le", "whole_record_contact", "whole_record_contactless")),
    (probes.uid, ("long_uid",)),
    (probes.challenge, ("no_challenge_external", "uncounted_failure", "challenge_lasts")),
    (probes.pin_limit, ("verified_query_ok", "pin_tries")),
    (probes.failed_verify, ("failed_verify_clears",)),
    (probes.same_pin, ("same_pin_allowed", "change_pin_status")),
    (probes.short_pin, ("pin_min_digits",)),
    (probes.absent_old_pin, ("absent_old_pin_counts",)),
    (key_probes.no_challenge, ("no_challenge",)),
    (key_probes.select_keeps, ("select_keeps",)),
    (key_probes.failed_authentication, ("failed_authentication_clears",)),
    (key_probes.padding, ("an_padding",)),
    (key_probes.key_limit, ("key_tries",)),
    (key_probes.failed_mac, ("failed_mac_counts", "failed_mac_clears")),
    (key_probes.unblock, ("puk_once", "reset_pin_status")),
    (key_probes.blocked_pin, ("blocked_query",)),
    (key_probes.no_pin, ("empty_pin_counts", "reset_empty_pin")),
    (key_probes.empty_resets, ("empty_pin_without_block", "empty_pin_as_block", "two_block_pin")),
    (key_probes.transaction_type, ("transaction_type_ascii",)),
    (key_probes.certificate_pins, ("certificate_user_tries", "certificate_administrator_tries")),
    (key_probes.unlock_limit, ("unlock_limit",)),
    (key_probes.card_block, ("card_block_reaches_financial",)),
)
"""Each probe and the choices that it asks for, in the order in which they are sent to a card: the harmful ones last."""
DEFAULT: Final = "v3-sm4"


@dataclass(frozen=True, slots=True)
class Finding:
    """What is known of a choice.

    ``value`` is the observed one, ``None`` if it was not determined, for ``reason``, or if no allowed value answers
    like the card: then ``reason`` is empty. ``evidence`` is the command and the answer, ``claimed`` the value of the
    claim, ``None`` without a claim.
    """

    name: str
    value: int | str | None
    evidence: str = ""
    reason: Sayable = ""
    claimed: int | str | None = None

    @property
    def known(self) -> bool:
        """Whether the card showed a value."""
        return self.value is not None

    @property
    def contradicts(self) -> bool:
        """Whether the card does something else than the claim says."""
        return self.claimed is not None and not self.reason and self.value != self.claimed


@dataclass(frozen=True, slots=True)
class Observed:
    """What a card showed: a finding for each choice, and the personality with it.

    ``personality`` has the observed values, and of the others those of ``base``: the claim, or the preset of the
    card's generation and algorithm.
    """

    findings: tuple[Finding, ...]
    personality: Personality
    base: str

    @property
    def contradicted(self) -> list[Finding]:
        """The findings that contradict the claim."""
        return [each for each in self.findings if each.contradicts]

    def fields(self) -> Iterator[tuple[str, str, bool]]:
        """The fields of a personality file, each with its value as written there, and whether the card showed it."""
        found = {each.name: each.known for each in self.findings}
        for name, value in written_fields(asdict(self.personality)).items():
            yield name, value, found.get(name, True)


def observe(
    connection: Connection,
    pin: str | None,
    hsm: Hsm | None,
    permissions: Permissions,
    claim: Personality | None = None,
    unknown: frozenset[str] = frozenset(),
    *,
    contact: bool = True,
) -> Observed:
    """Probe a card, which has no power before and after.

    ``unknown`` are choices that the claim leaves open. The PIN, the files and the
    tries are restored; without permissions no PIN and no key has fewer than two
    tries at any time. Errors: ``InputError`` for a PIN that is not that of the
    card, ``UnusableCard``, ``RestoreFailed`` and those of the connection.
    """
    claimed = {name: getattr(claim, name) for name in CHOICES if name not in unknown} if claim else {}
    try:
        card = ProbedCard(connection, pin, hsm, claimed, permissions, contact=contact)
        reasons = _probed(card)
    finally:
        connection.power_off()
    alike = (
        preset
        for name in ("generation", "algorithm")
        for preset in PRESETS.values()
        if getattr(preset, name) == card.value(name)
    )
    base = claim or next(alike, PRESETS[DEFAULT])
    findings = tuple(
        Finding(name, found.value if found else None, found.evidence if found else "", reasons.get(name, ""), claims)
        for name in CHOICES
        for found, claims in ((card.seen.get(name), claimed.get(name)),)
    )
    values = {each.name: each.value for each in findings if each.known}
    made = replace(made_with(base, values), name=f"{base.name}-observed")
    return Observed(findings, made, base.name)


def _probed(card: ProbedCard) -> dict[str, Sayable]:
    """Send all probes; why a choice is not known, by choice."""
    card.check_pin()
    reasons: dict[str, Sayable] = {}
    for probe, names in PROBES:
        reason: Sayable = ""
        try:
            card.begin()
            probe(card)
        except HsmUnavailable:
            raise
        except (Unclear, ApduError, HsmError) as error:
            reason = error.said
        for name in names:
            if name not in card.seen:
                reasons[name] = reason
        if probe is probes.fci and (suite := SUITES_BY_NAME.get(str(card.value("algorithm")))):
            card.check_keys(suite.algorithm_id)
    return reasons


def made_with(base: Personality, values: Mapping[str, Any]) -> Personality:
    """The base with the observed values; a choice that no card of the generation has is as the generation has it."""
    made = replace(base, **values)
    try:
        check_generation(made)
    except FieldError as error:
        (name,) = error.path
        choice = CHOICES[str(name)]
        default = dict(choice.older).get(made.generation, getattr(PRESETS[DEFAULT], str(name)))
        return made_with(base, {**values, str(name): default})
    return made
