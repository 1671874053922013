"""The data that a terminal has read from the card in its reader."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Final

from sscard.errors import TransportError
from sscard.i18n.phrase import Phrase
from sscard.issuer.hierarchy import CardReference
from sscard.standard.atr import SERIAL_LENGTH
from sscard.standard.generations import OLDEST, build_layout
from sscard.standard.suite import UnknownAlgorithmId, algorithm_of
from sscard.standard.tree import MF, Layout
from sscard.terminal.errors import UnknownAlgorithm

CITY_CODE_DIGITS: Final = 6


@dataclass(frozen=True, slots=True)
class Identity:
    """Identity of a card: identification code (卡的识别码, 32 hex digits) and card number (卡号, 9 characters)."""

    identification_code: str
    card_number: str

    @property
    def city_code(self) -> str:
        return self.identification_code[:CITY_CODE_DIGITS]


@dataclass(frozen=True, slots=True)
class IssuerData:
    """EF05 (发卡机构数据) as text: dates YYYYMMDD, ``body`` the initializing body number, 24 digits."""

    identity: Identity
    category: str
    version: str
    body: str
    issued: str
    expires: str

    @property
    def generation(self) -> str:
        """The first three characters of the version; a blank one is the oldest."""
        return self.version[:3] or OLDEST


@dataclass(frozen=True, slots=True)
class BasicData:
    """The basic data (基本信息) a terminal reads first: EF05 and EF06."""

    identity: Identity
    version: str
    issued: str
    expires: str
    social_security_number: str = field(repr=False)
    name: str
    sex: str
    birth_date: str


@dataclass
class OpenedCard:
    """A card under power with SSSE selected.

    ``historical`` are the 13 historical bytes of its ATR. ``issuer`` is
    ``None`` until all of EF05 is read. ``df`` is the FID of the selected DF.
    """

    historical: bytes
    fci: bytes
    identity: Identity
    issuer: IssuerData | None = None
    df: int = MF

    @cached_property
    def algorithm(self) -> int:
        """The algorithm id of the card; ``UnknownAlgorithm`` if its FCI contains an unknown id."""
        try:
            return algorithm_of(self.fci, self.identity.city_code)
        except UnknownAlgorithmId as error:
            raise UnknownAlgorithm(error.algorithm) from None

    @cached_property
    def reference(self) -> CardReference:
        """The diversification data of its keys; ``TransportError`` if unknown, because a wrong key would cost a try."""
        city_code, serial = self.identity.city_code, self.historical[-SERIAL_LENGTH:]
        if len(city_code) != CITY_CODE_DIGITS or len(serial) != SERIAL_LENGTH:
            raise TransportError(
                Phrase("no key can be computed: the card gave no city code in EF05, or no serial number in its ATR")
            )
        return CardReference(city_code, serial)

    @property
    def generation(self) -> str:
        """The name of its generation, also an unknown one; EF05 must be read."""
        if self.issuer is None:
            raise ValueError("EF05 of the card was not read")
        return self.issuer.generation

    @property
    def layout(self) -> Layout:
        """The files and keys of its generation, including those of the annex; SSSE has the FID of the MF here."""
        return _layout(self.generation)


@cache
def _layout(generation: str) -> Layout:
    return build_layout(generation, optional_applications=True)
