"""Selection and reading as the documents describe them: the part of the oracle without PIN and keys.

Written from card-commands.md §0, §1.1, §1.3 and §1.14, card-files.md §1 and §3–5, certificate-application.md §2, §5,
and open-choices.md §1 alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sscard.model.choices import Choices

OK = 0x9000
NAMES = {
    "SSSE": bytes.fromhex("7378312E73682EC9E7BBE1B1A3D5CF"),
    "DF01": bytes.fromhex("D15600000500"),
    "DF02": bytes.fromhex("D15600000501"),
    "DF03": bytes.fromhex("D15600000502"),
    "DF04": bytes.fromhex("D15600000503"),
    "DF07": bytes.fromhex("D15600000504"),
    "DF05": bytes.fromhex("C9FAC3FCD3EBBDA1BFB5D0C5CFA2C7F8"),
    "PKI": bytes.fromhex("504B492EC9E7BBE1B1A3D5CF"),
    "certificates": bytes.fromhex("53532E434552542E41444631"),
}
"""card-files.md §1, certificate-application.md §2: name, AID, or label in GB code."""
CERTIFICATES = ("PKI", "certificates")
"""The certificate environment and its ADF."""
APPLICATIONS = {"1.0": ("DF01", "DF02", "DF03", "DF04"), "2.0": ("DF01", "DF02", "DF03", "DF04", "DF07")}
MF = 0x3F00


@dataclass
class Files:
    """The selection of a card with ``block`` 8 (DES) or 16 (SM4).

    ``issuer_data`` is what EF05 of SSSE holds, TLV. After a command ``data`` is
    the data of its answer, ``None`` if the oracle does not know them.
    """

    block: int
    choices: Choices
    generation: str = field(default="3.0", kw_only=True)
    contact: bool = field(default=False, kw_only=True)
    issuer_data: bytes = field(default=b"", kw_only=True)

    df: str = field(default="", init=False)
    ef: int = field(default=0, init=False)
    waiting: bytes = field(default=b"", init=False)
    data: bytes | None = field(default=None, init=False)

    def restart(self) -> None:
        """Power-on: the MF is current, no EF."""
        self.df = self.root
        self.ef = 0
        self.waiting = b""

    def leave(self) -> None:
        """Another DF was selected."""
        raise NotImplementedError

    def after(self, sw: int) -> int:
        """What any command does at its end; returns its status word."""
        raise NotImplementedError

    def begin(self) -> None:
        """Any command but GET RESPONSE drops the data that wait: card-commands.md §0, §1.14."""
        self.waiting = b""
        self.data = None

    def select(self, df: str) -> int:
        """A DF of the card, by its whole name."""
        there = self.choices.certificate_application == "stub" if df in CERTIFICATES else df in self._fids()
        return self.after(self._enter(df) if there else 0x6A82)

    def select_file(self, p1: int, p2: int, data: bytes) -> int:
        """SELECT with P1 other than 04: card-commands.md §1.1, OC-17, OC-37."""
        return self.after(self._select_file(p1, p2, data))

    def _select_file(self, p1: int, p2: int, data: bytes) -> int:
        child = p1 == 1 and self.choices.select_child != "FID"
        if p1 not in (0, 1, 2) or p2 or (child and self.choices.select_child == "6A86"):
            return 0x6A86
        if len(data) != 2 and (data or p1 == 2 or child):
            return 0x6700
        if p1 == 2:
            return self._select_ef(data)
        fid = int.from_bytes(data, "big") if data else MF
        found = [df for df, its in (self._fids_inside() if self.inside else self._fids()).items() if its == fid]
        if child:
            places = [self.df, *([self._parent(self.df)] if self.choices.select_child == "siblings" else [])]
            found = [df for df in found if self._parent(df) and self._parent(df) in places]
        if found:
            return self._enter(found[0])
        if child or data[0] != 0xEF:
            return 0x6A82
        accepted = self.inside or self.choices.select_ef_as_file == OK
        return self._select_ef(data) if accepted else self.choices.select_ef_as_file

    def _select_ef(self, fid: bytes) -> int:
        """The EFs that the caller asks for: 05, which SSSE and its DFs have, and the DIR file of SSSE."""
        known = {0x05} if self.df != "MF" and not self.inside else set()
        if self.df == "SSSE" and self.choices.dir_sfi:
            known.add(self.choices.dir_sfi)
        if fid[0] != 0xEF or fid[1] not in known:
            return 0x6A82
        self.ef = fid[1]
        self.data = b""
        return OK

    def _enter(self, df: str) -> int:
        self.ef = 0
        if df != self.df:
            self.df = df
            self.leave()
        return self._answer(self._fci(df))

    def _fci(self, df: str) -> bytes:
        """card-files.md §3, OC-21, OC-39; the MF above SSSE has no name there, so its FID is taken."""
        content = tlv(0x84, NAMES.get(df, b"\x3f\x00"))
        if df in ("MF", "SSSE", "PKI"):
            content += tlv(0xA5, self._proprietary() if df == "SSSE" else b"")
        return tlv(0x6F, content)

    def _proprietary(self) -> bytes:
        directory = tlv(0x88, bytes([self.choices.dir_sfi])) if self.choices.dir_sfi else b""
        algorithm = b"\x03" if self.block == 16 else b"\x01"
        return directory + (b"\x9f\x0c\x03\x86\x01" + algorithm if self.choices.fci_algorithm else b"")

    @property
    def root(self) -> str:
        return "SSSE" if self.choices.ssse_fid == MF else "MF"

    def _parent(self, df: str) -> str:
        """The DF that a DF lies below, empty for the MF; also where SSSE is the MF."""
        if df == self.root:
            return ""
        if df == "certificates":
            return "PKI"
        return self.root if df in ("SSSE", "PKI") else "SSSE"

    def _fids(self) -> dict[str, int]:
        """The DFs of the card by name: card-files.md §1, OC-40. The financial one is not selected here."""
        health = ("DF05",) if self.choices.health_application and self.generation != "1.0" else ()
        names = (*APPLICATIONS["1.0" if self.generation == "1.0" else "2.0"], *health)
        fids = {"MF": MF} if self.root == "MF" else {}
        return {**fids, "SSSE": self.choices.ssse_fid, **{name: int(name, 16) for name in names}}

    @property
    def inside(self) -> bool:
        """Whether the certificate environment or its ADF is current."""
        return self.df in CERTIFICATES

    def _fids_inside(self) -> dict[str, int]:
        """The DFs that SELECT by FID finds from the certificate environment: certificate-application.md §2."""
        outside = {df: fid for df, fid in self._fids().items() if df in ("MF", "SSSE")}
        return {**outside, "certificates": 0xDF01}

    # Answers with data: card-commands.md §0, §1.14

    def _answer(self, data: bytes) -> int:
        """Over contacts the data of a case 4 command wait for GET RESPONSE."""
        self.data = b"" if self.contact else data
        self.waiting = data if self.contact else b""
        return 0x6100 + len(data) if self.contact else OK

    def get_response(self, le: int) -> int:
        self.data = None
        if not self.waiting:
            return self.after(0x6F00)
        if not 0 < le <= len(self.waiting):
            return self.after(0x6C00 + len(self.waiting))
        self.data, self.waiting = self.waiting[:le], self.waiting[le:]
        return self.after(0x6100 + len(self.waiting) if self.waiting else OK)

    # READ RECORD of EF05 of SSSE: card-commands.md §1.3, OC-30, OC-38

    def read(self, p1: int, p2: int, le: int) -> int:
        """One record by number (P2 …100) or identifier (…000), or all from a number (…101); P1 is not 00."""
        if self.inside:
            return self.choices.unknown_ins
        return self.after(self._read(p1, p2, le))

    def _read(self, p1: int, p2: int, le: int) -> int:
        sfi, mode = p2 >> 3, p2 & 7
        if sfi and self.df != "SSSE":
            return 0x6A82
        if not sfi and not self.ef:
            return 0x6986
        held = records(self.issuer_data)
        if mode == 0:
            found = [record for record in held if record[0] == p1][:1]
        else:
            found = held[p1 - 1 : p1 if mode == 4 else None]
        content = b"".join(found)
        if not content:
            return 0x6A83
        whole = self.choices.whole_record_contact if self.contact else self.choices.whole_record_contactless
        if le == 0 and whole:
            le = len(content)
        cut = 0 < le < len(content) and self.choices.short_record_le == "truncate"
        if le != len(content) and not cut:
            return 0x6C00 + len(content)
        self.ef = sfi or self.ef
        self.data = content[:le]
        return OK


def tlv(tag: int, value: bytes) -> bytes:
    """Tag, length of one byte, value."""
    return bytes([tag, len(value)]) + value


def records(content: bytes) -> list[bytes]:
    """The TLV records of a file in order."""
    found = []
    while content:
        length = 2 + content[1]
        found.append(content[:length])
        content = content[length:]
    return found
