"""Requests of the driver's operations in addition to those of every flow (``terminal.flow``)."""

from __future__ import annotations

from typing import NamedTuple

from sscard.terminal.card import OpenedCard


class Require(NamedTuple):
    """Keys that are requested next: fail now if an address is missing. No answer."""

    keys: tuple[str, ...]


class CheckCard(NamedTuple):
    """Internal authentication by the calling program, and the proof of RKSSSE if ``key_factor`` is given.

    Answer: two proofs, authentication data(8) ‖ original data(8) each; the second may be empty.
    """

    card: OpenedCard
    factor: bytes
    original: bytes
    key_factor: bytes
    key_original: bytes


class WriteData(NamedTuple):
    """The second parameter of a step, pWriteData. Answer: the text."""


class BeginPurchase(NamedTuple):
    """A purchase under the DPK of an index (from 1). Answer: the terminal number, 12 digits."""

    card: OpenedCard
    key_index: int
