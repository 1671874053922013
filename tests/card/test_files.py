"""Files: every way to address them, what a write leaves, what SELECT finds, the firewall, the two interfaces."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit import NAME, PIN, Desk, verify
from sscard.card import Personality
from sscard.issuer import preset
from sscard.transport import exchange

FIRST, LAST, NEXT, PREVIOUS, NUMBER, UP, DOWN = range(7)
RESERVED_BINARY = ["A0", "C5", "80", "9F", "E0"]
"""P1 of a binary command that is neither an offset nor an SFI of 1–30."""


@pytest.fixture(params=["v2-3des", "v3-sm4"])
def later(request: pytest.FixtureRequest) -> Personality:
    return preset(request.param)


def read(sfi: int, p1: int, mode: int, le: int = 0) -> bytes:
    return bytes((0x00, 0xB2, p1, sfi << 3 | mode, le))


def write(sfi: int, p1: int, mode: int, record: bytes) -> bytes:
    return bytes((0x00, 0xDC, p1, sfi << 3 | mode, len(record))) + record


def fetch(desk: Desk, sfi: int, p1: int, mode: int) -> bytes:
    """A record as a T=0 terminal reads it; the two bytes of a refusal if it does not exist."""
    asked = desk.send(read(sfi, p1, mode))
    return asked[:-2] if asked[-2:] == b"\x90\x00" else asked


# Transparent files: EF16 of DF01, 296 bytes, read free, written with UK7DF01

PATTERN = bytes(place % 251 for place in range(296))


@pytest.fixture
def binary(later: Personality) -> Desk:
    """DF01 current with EF16 filled, no current EF."""
    desk = Desk(later)
    desk.select("DF01")
    desk.authenticate("UK7DF01")
    assert desk.sw(b"\x00\xd6\x96\x00\xff" + PATTERN[:255]) == 0x9000
    assert desk.sw(b"\x00\xd6\x00\xff\x29" + PATTERN[255:]) == 0x9000
    assert desk.select("DF01") == 0x9000
    return desk


@pytest.mark.parametrize(
    ("sent", "start", "length"),
    [
        ("00B0960010", 0, 16),
        ("00B0961008", 16, 8),
        ("00B096FF29", 255, 41),
        ("00B0960000", 0, 256),
        ("00B09600", 0, 256),
        ("00B0963000", 48, 248),
        ("00B09600FF", 0, 255),
    ],
)
def test_binary_is_read_by_sfi_from_an_offset(binary: Desk, sent: str, start: int, length: int) -> None:
    assert binary.send(sent) == PATTERN[start : start + length] + b"\x90\x00"
    assert binary.chip.snapshot().current_ef == 0xEF16


def test_binary_is_read_from_the_current_file_with_a_long_offset(binary: Desk) -> None:
    assert binary.sw("00A4020002EF16") == 0x9000
    assert binary.send("00B0000004") == PATTERN[:4] + b"\x90\x00"
    assert binary.send("00B0010004") == PATTERN[256:260] + b"\x90\x00"
    assert binary.send("00B0012701") == PATTERN[295:] + b"\x90\x00"
    assert binary.send("00B0012000") == PATTERN[288:] + b"\x90\x00"


@pytest.mark.parametrize(
    ("sent", "sw"),
    [
        ("00B0012002", 0x9000),
        ("00B0012009", 0x6C08),
        ("00B00127FF", 0x6C01),
        ("00B0012801", 0x6B00),
        ("00B0012800", 0x6B00),
        ("00B07FFF01", 0x6B00),
    ],
)
def test_the_end_of_a_file(binary: Desk, sent: str, sw: int) -> None:
    binary.send("00A4020002EF16")
    assert f"{binary.sw(sent):04X}" == f"{sw:04X}"


@pytest.mark.parametrize("ins", ["B0", "D6"])
@pytest.mark.parametrize("p1", RESERVED_BINARY)
def test_reserved_addresses_of_binary_files(binary: Desk, ins: str, p1: str) -> None:
    assert binary.sw(f"00{ins}{p1}0001" + ("00" if ins == "D6" else "")) == 0x6A86


def test_a_binary_read_wants_a_transparent_file_that_is_there(binary: Desk) -> None:
    assert binary.sw("00B0000004") == 0x6986
    assert binary.sw("00B0850004") == 0x6981
    assert binary.sw("00B09E0004") == 0x6A82
    assert binary.sw("00A4020002EF05") == 0x9000
    assert binary.sw("00B0000004") == 0x6981


def test_the_photo_is_written_and_read_whole(later: Personality) -> None:
    desk = Desk(later)
    photo = Random(8).randbytes(0x1000)
    desk.authenticate("UKSSSE")
    assert desk.sw("00A4020002EF08") == 0x9000
    for at in range(0, len(photo), 128):
        assert desk.sw(b"\x00\xd6" + at.to_bytes(2, "big") + b"\x80" + photo[at : at + 128]) == 0x9000
    assert desk.sw("00B0000000") == 0x6982
    desk.repower()
    desk.authenticate("RKSSSE")
    desk.send("00A4020002EF08")
    seen = b"".join(desk.send(b"\x00\xb0" + at.to_bytes(2, "big") + b"\x00")[:-2] for at in range(0, 0x1000, 256))
    assert seen == photo
    assert desk.sw("00B0100000") == 0x6B00


def test_binary_is_written_where_it_says_and_nowhere_else(binary: Desk) -> None:
    binary.authenticate("UK7DF01")
    assert binary.sw("00D6961004AABBCCDD") == 0x9000
    assert binary.chip.snapshot().current_ef == 0xEF16
    assert binary.sw("00D601270155") == 0x9000
    expected = PATTERN[:16] + bytes.fromhex("AABBCCDD") + PATTERN[20:295] + b"\x55"
    assert binary.send("00B0000000")[:-2] + binary.send("00B0010000")[:-2] == expected
    binary.repower()
    binary.select("DF01")
    assert binary.send("00B0960000")[:-2] == expected[:256]


@pytest.mark.parametrize(
    ("sent", "sw"),
    [
        ("00D6012801AA", 0x6B00),
        ("00D67FFF01AA", 0x6B00),
        ("00D6012702AABB", 0x6700),
        ("00D6000000", 0x6700),
        ("00D60000", 0x6700),
        ("00D6000002AA", 0x6700),
        ("00D6000002AABBCC", 0x6700),
    ],
)
def test_a_refused_binary_write_changes_nothing(binary: Desk, sent: str, sw: int) -> None:
    binary.authenticate("UK7DF01")
    binary.send("00A4020002EF16")
    assert f"{binary.sw(sent):04X}" == f"{sw:04X}"
    assert binary.send("00B0000000")[:-2] + binary.send("00B0010000")[:-2] == PATTERN


# Records: EF15 of DF02 has 99 ×4 of 16 bytes, then 0F and 1F


@pytest.fixture
def repeated(later: Personality) -> Desk:
    """DF02 EF15 current, its four records 99 distinguished by their last byte."""
    desk = Desk(later)
    desk.verify()
    desk.select("DF02")
    desk.authenticate("UK5DF02")
    assert desk.sw("00A4020002EF15") == 0x9000
    for number in range(1, 5):
        assert desk.sw(write(0, number, NUMBER, b"\x99\x10" + bytes(15) + bytes((number,)))) == 0x9000
    assert desk.sw("00A4020002EF15") == 0x9000
    return desk


def seen(desk: Desk, p1: int, mode: int, sfi: int = 0) -> str:
    """Which record came: 99/number, another tag, or the refusal."""
    record = fetch(desk, sfi, p1, mode)
    if record == b"\x6a\x83":
        return "6A83"
    return f"99/{record[-1]}" if record[0] == 0x99 else f"{record[0]:02X}"


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ([(0x99, FIRST), (0x99, NEXT), (0x99, NEXT)], ["99/1", "99/2", "99/3"]),
        ([(0x99, LAST), (0x99, NEXT)], ["99/4", "6A83"]),
        ([(0x99, LAST), (0x99, PREVIOUS), (0x99, PREVIOUS)], ["99/4", "99/3", "99/2"]),
        ([(0x99, FIRST), (0x99, PREVIOUS)], ["99/1", "6A83"]),
        ([(0x99, NEXT), (0x99, NEXT)], ["99/1", "99/2"]),
        ([(0x99, PREVIOUS)], ["99/4"]),
        ([(0x1F, PREVIOUS), (0x99, PREVIOUS)], ["1F", "99/4"]),
        ([(0x99, FIRST), (0x0F, NEXT), (0x00, NEXT)], ["99/1", "0F", "1F"]),
        ([(0x00, FIRST), (0x00, LAST), (0x00, NEXT)], ["99/1", "1F", "6A83"]),
        ([(0x0F, FIRST), (0x99, NEXT), (0x99, PREVIOUS)], ["0F", "6A83", "99/4"]),
        ([(0x77, FIRST), (0x77, LAST)], ["6A83", "6A83"]),
        ([(0x99, NEXT), (4, NUMBER), (0x99, NEXT)], ["99/1", "99/4", "99/2"]),
        ([(0x99, NEXT), (0x99, NEXT), (0, NUMBER)], ["99/1", "99/2", "99/2"]),
        ([(0, NUMBER)], ["6A83"]),
        ([(7, NUMBER), (0xFF, NUMBER)], ["6A83", "6A83"]),
    ],
)
def test_records_by_identifier_and_number(repeated: Desk, asked: list[tuple[int, int]], found: list[str]) -> None:
    assert [seen(repeated, *one) for one in asked] == found


def test_selecting_the_file_again_forgets_the_current_record(repeated: Desk) -> None:
    assert seen(repeated, 0x99, NEXT) == "99/1"
    repeated.send("00A4020002EF15")
    assert seen(repeated, 0x99, NEXT) == "99/1"


def test_another_files_record_pointer_is_not_taken_over(repeated: Desk) -> None:
    """An SFI makes its file current; that file has no current record yet (card-commands.md §1.3)."""
    assert [seen(repeated, 0x99, NEXT) for _ in range(3)][-1] == "99/3"
    assert fetch(repeated, 0x06, 0, NEXT)[0] == 0x4C
    assert repeated.chip.snapshot().current_ef == 0xEF06
    assert seen(repeated, 0x99, NEXT, sfi=0x15) == "99/1"


def test_runs_of_records(repeated: Desk) -> None:
    records = [fetch(repeated, 0, number, NUMBER) for number in range(1, 7)]
    assert fetch(repeated, 0, 1, UP) == b"".join(records)
    assert fetch(repeated, 0, 4, UP) == b"".join(records[3:])
    assert fetch(repeated, 0, 1, DOWN) == b"".join(reversed(records))
    assert fetch(repeated, 0, 4, DOWN) == b"".join(reversed(records[3:]))
    assert fetch(repeated, 0, 7, UP) == fetch(repeated, 0, 7, DOWN) == b"\x6a\x83"
    assert seen(repeated, 0x99, LAST) == "99/4"
    assert fetch(repeated, 0, 0, UP) == b"".join(records[3:])


def test_a_run_longer_than_an_answer_gives_its_first_256_bytes(later: Personality) -> None:
    """No 6Cxx can name more than 256; EF06 of DF03 has 401 bytes."""
    desk = Desk(later)
    desk.verify()
    desk.select("DF03")
    whole = b"".join(fetch(desk, 0x06, number, NUMBER) for number in range(1, 11))
    assert len(whole) == 401
    assert desk.send(read(0x06, 1, UP)) == whole[:256] + b"\x90\x00"
    assert desk.send(read(0x06, 1, UP, 0x80)) == b"\x6c\x00"
    assert desk.send(read(0x06, 10, UP, 0x63)) == whole[-99:] + b"\x90\x00"


@pytest.mark.parametrize("mode", range(8))
@pytest.mark.parametrize("sfi", [0, 0x15, 0x1F])
def test_reserved_record_addresses(repeated: Desk, mode: int, sfi: int) -> None:
    repeated.authenticate("UK5DF02")
    read_wrong = sfi == 0x1F or mode == 7
    write_wrong = sfi == 0x1F or mode > NUMBER
    p1 = 0x01 if mode >= NUMBER else 0x99
    assert (repeated.sw(read(sfi, p1, mode)) == 0x6A86) is read_wrong
    assert (repeated.sw(write(sfi, p1, mode, b"\x99\x10" + bytes(16))) == 0x6A86) is write_wrong


# Writing records; the health file of DF05 has 128 bytes of room and starts empty


class Health(Desk):
    """DF05 with its only file current and writable."""

    def __init__(self, name: str = "v3-sm4") -> None:
        super().__init__(replace(preset(name), optional_applications=True))
        assert self.select("DF05") == 0x9000
        self.authenticate("UK1DF05")
        assert self.sw("00A4020002EF05") == 0x9000

    def all(self) -> list[bytes]:
        found = []
        while (record := fetch(self, 0, len(found) + 1, NUMBER)) != b"\x6a\x83":
            found.append(record)
        return found


def tlv(tag: int, length: int, fill: int = 0) -> bytes:
    return bytes((tag, length)) + bytes((fill,)) * length


def test_records_are_appended_by_the_next_number_and_by_a_new_identifier() -> None:
    desk = Health()
    assert desk.sw(write(0, 2, NUMBER, tlv(1, 3))) == 0x6A83
    assert desk.sw(write(0, 1, NUMBER, tlv(1, 3))) == 0x9000
    assert desk.sw(write(0, 3, NUMBER, tlv(2, 3))) == 0x6A83
    assert desk.sw(write(0, 2, NUMBER, tlv(2, 3))) == 0x9000
    assert desk.sw(write(0, 0x03, FIRST, tlv(3, 3))) == 0x9000
    assert desk.sw(write(0, 0x04, PREVIOUS, tlv(4, 3))) == 0x9000
    assert desk.all() == [tlv(1, 3), tlv(2, 3), tlv(3, 3), tlv(4, 3)]


def test_a_record_is_replaced_by_one_of_another_length() -> None:
    desk = Health()
    for tag in (1, 2, 3):
        desk.sw(write(0, tag, FIRST, tlv(tag, 10)))
    assert desk.sw(write(0, 2, NUMBER, tlv(2, 20, 7))) == 0x9000
    assert desk.all() == [tlv(1, 10), tlv(2, 20, 7), tlv(3, 10)]
    assert desk.sw(write(0, 3, LAST, tlv(3, 0))) == 0x9000
    assert desk.all() == [tlv(1, 10), tlv(2, 20, 7), tlv(3, 0)]


def test_a_full_file_takes_no_more() -> None:
    desk = Health()
    assert desk.sw(write(0, 1, NUMBER, tlv(1, 62))) == 0x9000
    assert desk.sw(write(0, 2, NUMBER, tlv(2, 63))) == 0x6A84
    assert desk.sw(write(0, 2, NUMBER, tlv(2, 62))) == 0x9000
    assert desk.sw(write(0, 3, NUMBER, tlv(3, 0))) == 0x6A84
    assert desk.sw(write(0, 3, FIRST, tlv(3, 0))) == 0x6A84
    assert desk.sw(write(0, 1, NUMBER, tlv(1, 63))) == 0x6A84
    assert desk.all() == [tlv(1, 62), tlv(2, 62)]


@pytest.mark.parametrize("record", ["0102AA", "0102AABBCC", "01", "0100AA", "01FFAA"])
def test_a_length_that_does_not_fit_lc(record: str) -> None:
    desk = Health()
    desk.sw(write(0, 1, NUMBER, tlv(1, 2)))
    for p1, mode in [(1, NUMBER), (2, NUMBER), (1, FIRST)]:
        assert desk.sw(write(0, p1, mode, bytes.fromhex(record))) == 0x6A85
    assert desk.all() == [tlv(1, 2)]


def test_a_write_needs_data() -> None:
    desk = Health()
    assert desk.sw("00DC0104") == desk.sw("00DC010400") == 0x6700


def test_an_occurrence_that_is_not_there_is_not_appended(repeated: Desk) -> None:
    """Only an identifier not present appends (card-commands.md §1.5)."""
    repeated.authenticate("UK5DF02")
    assert seen(repeated, 0x99, LAST) == "99/4"
    assert repeated.sw(write(0, 0x99, NEXT, tlv(0x99, 16))) == 0x6A83
    assert seen(repeated, 0x99, FIRST) == "99/1"
    assert repeated.sw(write(0, 0x99, PREVIOUS, tlv(0x99, 16))) == 0x6A83


def test_the_current_record_is_written_and_stays_current(repeated: Desk) -> None:
    repeated.authenticate("UK5DF02")
    assert repeated.sw(write(0, 0, NUMBER, tlv(0x99, 16, 9))) == 0x6A83
    assert seen(repeated, 0x99, NEXT) == "99/1"
    assert seen(repeated, 0x99, NEXT) == "99/2"
    assert repeated.sw(write(0, 0, NUMBER, tlv(0x99, 16, 9))) == 0x9000
    assert seen(repeated, 0, NUMBER) == "99/9"
    assert repeated.sw(write(0, 0x99, NEXT, tlv(0x99, 16, 8))) == 0x9000
    assert seen(repeated, 0, NUMBER) == "99/8"
    assert [seen(repeated, number, NUMBER) for number in (1, 2, 3, 4)] == ["99/1", "99/9", "99/8", "99/4"]


def test_a_write_by_number_leaves_the_pointer(repeated: Desk) -> None:
    repeated.authenticate("UK5DF02")
    assert seen(repeated, 0x99, NEXT) == "99/1"
    assert repeated.sw(write(0, 4, NUMBER, tlv(0x99, 16, 9))) == 0x9000
    assert seen(repeated, 0x99, NEXT) == "99/2"


@pytest.mark.parametrize("name", ["v1-des", "v2-3des", "v3-sm4"])
def test_fixed_records_keep_their_length_and_number(name: str) -> None:
    desk = Desk(preset(name))
    desk.verify()
    df, key, sfi, record, last = (
        ("DF01", "UK5DF01", 0x0A, tlv(0x37, 4, 5), 3)
        if name == "v1-des"
        else ("DF03", "UK8DF03", 0x19, tlv(0x79, 39, 5), 4)
    )
    desk.select(df)
    desk.authenticate(key)
    assert desk.sw(write(sfi, 1, NUMBER, record)) == 0x9000
    assert fetch(desk, sfi, 1, NUMBER) == record
    assert desk.sw(write(sfi, 1, NUMBER, record + b"\x00")) == 0x6700
    assert desk.sw(write(sfi, 1, NUMBER, tlv(record[0], record[1] - 1))) == 0x6700
    assert desk.sw(write(sfi, 1, NUMBER, record[:1] + b"\x01" + record[2:])) == 0x6A85
    assert desk.sw(write(sfi, last, NUMBER, record)) == 0x9000
    assert desk.sw(write(sfi, last + 1, NUMBER, record)) == 0x6A84
    assert desk.sw(write(sfi, last + 2, NUMBER, record)) == 0x6A83
    assert fetch(desk, sfi, last, NUMBER) == record


@pytest.mark.parametrize("mode", [FIRST, PREVIOUS, NUMBER])
def test_a_transparent_file_has_no_records(binary: Desk, mode: int) -> None:
    binary.authenticate("UK7DF01")
    assert binary.sw(read(0x16, 1, mode)) == 0x6981
    assert binary.sw(write(0x16, 1, mode, tlv(1, 1))) == 0x6981


def test_a_record_file_takes_no_binary_write() -> None:
    assert Health().sw("00D6850001AA") == 0x6981


# A variable file against a list with a pointer


class Model:
    """A variable file of 128 bytes (card-commands.md §1.3 and §1.5)."""

    def __init__(self) -> None:
        self.records: list[bytes] = []
        self.current = 0

    def find(self, tag: int, mode: int) -> int:
        numbers = list(range(1, len(self.records) + 1))
        if mode == NEXT:
            numbers = [number for number in numbers if number > self.current]
        if mode == PREVIOUS and self.current:
            numbers = [number for number in numbers if number < self.current]
        numbers = [number for number in numbers if tag in (0, self.records[number - 1][0])]
        if not numbers:
            return 0
        return numbers[0] if mode in (FIRST, NEXT) else numbers[-1]

    def read(self, p1: int, mode: int) -> bytes:
        if mode < NUMBER:
            found = self.find(p1, mode)
            self.current = found or self.current
            return self.records[found - 1] if found else b"\x6a\x83"
        start = p1 or self.current
        if not 1 <= start <= len(self.records):
            return b"\x6a\x83"
        run = self.records[start - 1 :] if mode != NUMBER else [self.records[start - 1]]
        return b"".join(reversed(run) if mode == DOWN else run)

    def write(self, p1: int, mode: int, record: bytes) -> int:
        if mode == NUMBER:
            place = p1 or self.current
            if not 1 <= place <= len(self.records) + 1:
                return 0x6A83
        else:
            place = self.find(p1, mode)
            if not place and any(held[0] == p1 for held in self.records):
                return 0x6A83
            place = place or len(self.records) + 1
        after = [*self.records[: place - 1], record, *self.records[place:]]
        if sum(map(len, after)) > 128:
            return 0x6A84
        self.records = after
        if mode != NUMBER:
            self.current = place
        return 0x9000


tags = st.sampled_from([1, 2, 3])
reads = st.tuples(st.just("read"), st.integers(0, 5), st.integers(FIRST, DOWN), st.just(b""))
writes = st.builds(
    lambda mode, tag, length, number: ("write", number if mode == NUMBER else tag, mode, tlv(tag, length, number)),
    st.integers(FIRST, NUMBER),
    tags,
    st.integers(0, 40),
    st.integers(0, 6),
)


@settings(max_examples=150)
@given(st.lists(reads | writes, max_size=25))
def test_a_variable_file_behaves_as_its_model(steps: list[tuple[str, int, int, bytes]]) -> None:
    desk, model = Health(), Model()
    for what, p1, mode, record in steps:
        if what == "read":
            assert fetch(desk, 0, p1, mode) == model.read(p1, mode)
        else:
            assert f"{desk.sw(write(0, p1, mode, record)):04X}" == f"{model.write(p1, mode, record):04X}"
    assert desk.all() == model.records


# Cyclic files: the newest record is number 1, the oldest drops out


@pytest.fixture
def jobs(later: Personality) -> Desk:
    """DF02 EF07, room for 4 records of 85 bytes, current and writable."""
    desk = Desk(later)
    desk.verify()
    desk.select("DF02")
    desk.authenticate("UK3DF02")
    assert desk.sw("00A4020002EF07") == 0x9000
    return desk


def job(number: int) -> bytes:
    return bytes((number,)) * 85


def test_the_newest_record_is_number_one_and_the_oldest_drops_out(jobs: Desk) -> None:
    held: deque[bytes] = deque(maxlen=4)
    assert fetch(jobs, 0, 1, NUMBER) == fetch(jobs, 0, 0, FIRST) == b"\x6a\x83"
    for number in range(1, 8):
        assert jobs.sw(write(0, 0, PREVIOUS, job(number))) == 0x9000
        held.appendleft(job(number))
        assert [fetch(jobs, 0, at, NUMBER) for at in range(1, len(held) + 1)] == list(held)
        assert fetch(jobs, 0, len(held) + 1, NUMBER) == b"\x6a\x83"
        assert fetch(jobs, 0, 0, NUMBER) == job(number)
    assert fetch(jobs, 0, 3, UP) == job(5) + job(4)
    assert fetch(jobs, 0, 3, DOWN) == job(4) + job(5)


def test_a_cyclic_file_is_walked_without_identifiers(jobs: Desk) -> None:
    for number in (1, 2, 3):
        jobs.sw(write(0, 0, PREVIOUS, job(number)))
    jobs.send("00A4020002EF07")
    assert [fetch(jobs, 0, 0, mode)[0] for mode in (NEXT, NEXT, NEXT)] == [3, 2, 1]
    assert fetch(jobs, 0, 0, NEXT) == b"\x6a\x83"
    assert [fetch(jobs, 0, 0, mode)[0] for mode in (PREVIOUS, FIRST, LAST)] == [2, 3, 1]


@pytest.mark.parametrize("mode", [FIRST, LAST, NEXT, NUMBER])
def test_a_cyclic_file_is_only_added_to(jobs: Desk, mode: int) -> None:
    jobs.sw(write(0, 0, PREVIOUS, job(1)))
    assert jobs.sw(write(0, 1, mode, job(2))) == 0x6981
    assert fetch(jobs, 0, 1, UP) == job(1)


@pytest.mark.parametrize("length", [1, 84, 86])
def test_a_cyclic_record_has_one_length(jobs: Desk, length: int) -> None:
    assert jobs.sw(write(0, 0, PREVIOUS, bytes(length))) == 0x6700
    assert fetch(jobs, 0, 1, NUMBER) == b"\x6a\x83"


def test_the_special_settlements_hold_eight(later: Personality) -> None:
    desk = Desk(later)
    desk.verify()
    desk.select("DF04")
    desk.authenticate("UK2DF04")
    for number in range(12):
        assert desk.sw(write(0x15, 0, PREVIOUS, bytes((0, number, 0x31)))) == 0x9000
    assert [fetch(desk, 0x15, at, NUMBER)[1] for at in range(1, 9)] == list(range(11, 3, -1))
    assert fetch(desk, 0x15, 9, NUMBER) == b"\x6a\x83"


# SELECT

AIDS = {f"DF0{number}": f"D1560000050{number - 1}" for number in (1, 2, 3, 4)} | {"DF07": "D15600000504"}
PREFIX = "D156000005"


def by_name(name: str, p2: int = 0) -> str:
    return f"00A404{p2:02X}{len(name) // 2:02X}{name}"


def test_a_partial_name_walks_every_application_once(later: Personality) -> None:
    desk = Desk(later)
    assert desk.sw(by_name(PREFIX)) == 0x9000
    found = [desk.chip.snapshot().current_df]
    while desk.sw(by_name(PREFIX, 2)) == 0x9000:
        found.append(desk.chip.snapshot().current_df)
    assert found == list(AIDS)
    assert desk.sw(by_name(PREFIX, 2)) == 0x6A82
    assert desk.chip.snapshot().current_df == "DF07"
    assert desk.sw(by_name(PREFIX)) == 0x9000
    assert desk.chip.snapshot().current_df == "DF01"


def test_the_walk_goes_on_over_other_commands_and_begins_anew_with_another_name(later: Personality) -> None:
    desk = Desk(later)
    desk.sw(by_name(PREFIX))
    desk.verify()
    assert desk.sw(by_name(PREFIX, 2)) == 0x9000
    assert desk.chip.snapshot().current_df == "DF02"
    assert desk.sw(by_name(NAME[:12], 2)) == 0x9000
    assert desk.chip.snapshot().current_df == "SSSE"
    assert desk.sw(by_name(NAME[:12], 2)) == 0x6A82


def test_the_walk_passes_a_blocked_application(later: Personality) -> None:
    desk = Desk(later)
    desk.block_application("DF02")
    desk.sw(by_name(PREFIX))
    assert desk.sw(by_name(PREFIX, 2)) == 0x9303
    assert desk.sw(by_name(PREFIX, 2)) == 0x9000
    assert desk.chip.snapshot().current_df == "DF03"


def test_an_application_is_reached_from_anywhere(later: Personality) -> None:
    """By FID or name, after power-on without SSSE, and from one to another (card-files.md §1)."""
    desk = Desk(later)
    for df, aid in AIDS.items():
        fci = bytes.fromhex(f"6F088406{aid}") + b"\x90\x00"
        assert desk.send(f"00A4000002{df}") == desk.send(by_name(aid)) == fci
        desk.repower()
        assert desk.send(by_name(aid)) == fci
    assert desk.sw("00A40000023F00") == 0x9000
    assert desk.chip.snapshot().current_df == "SSSE"


def test_an_ef_is_one_of_the_current_df(later: Personality) -> None:
    desk = Desk(later)
    assert desk.sw("00A4020002EF16") == 0x6A82
    assert desk.sw("00A4000002EF16") == 0x6A82
    desk.select("DF01")
    assert desk.sw("00A4020002EF16") == 0x9000
    assert desk.send("00A4000002EF17") == b"\x90\x00"
    for fid in ("DF01", "3F00", "EF1E", "FF16", "EF00"):
        assert desk.sw(f"00A4020002{fid}") == 0x6A82, fid
    assert desk.chip.snapshot().current_ef == 0xEF17


@pytest.mark.parametrize(("df", "label"), [("DF05", "生命与健康信息区"), ("DF06", "救助与优抚信息区")])
def test_an_application_without_aid_is_selected_by_its_label(df: str, label: str) -> None:
    desk = Desk(replace(preset("v3-sm4"), optional_applications=True))
    name = label.encode("gbk").hex().upper()
    assert desk.sw(by_name(name)) == 0x9000
    assert desk.chip.snapshot().current_df == df


# The firewall


@pytest.fixture(params=["pin", "all"])
def beyond(request: pytest.FixtureRequest, later: Personality) -> Desk:
    """In the financial application, with everything SSSE could give proven before."""
    desk = Desk(replace(later, select_keeps=request.param))
    desk.verify()
    desk.authenticate("PUK")
    desk.authenticate("BK")
    assert desk.select("financial") == 0x9000
    return desk


@pytest.mark.parametrize(
    ("says", "sent", "sw"),
    [
        ("the PIN", "0020000003123456", 0x6A88),
        ("tries of the PIN", "0020000000", 0x6A88),
        ("change of the PIN", "805E010007123456FF654321", 0x6A88),
        ("PIN reset", "842400010C" + "00" * 12, 0x6A88),
        ("PIN unblock", "842400000400000000", 0x6A88),
        ("the key PUK", "0082000610" + "00" * 16, 0x6A88),
        ("the key UKSSSE", "0082000410" + "00" * 16, 0x6A88),
        ("a key of a DF", "0082008310" + "00" * 16, 0x6A88),
        ("IRK", "0088000010" + "00" * 16, 0x6A88),
        ("card block", "841600000400000000", 0x6A88),
        ("application block", "841E00010400000000", 0x6A88),
        ("files", "00B2012C00", 0x6A82),
        ("files by FID", "00A4020002EF05", 0x6A82),
        ("the balance", "B026000104", 0x6985),
    ],
)
def test_nothing_of_ssse_is_found_beyond_the_firewall(beyond: Desk, says: str, sent: str, sw: int) -> None:
    if sent.startswith("842400010C") and beyond.suite.block == 16:
        sent = "8424000114" + "00" * 20
    beyond.challenge()
    assert f"{beyond.sw(sent):04X}" == f"{sw:04X}", says
    assert beyond.tries == 6
    assert beyond.key_tries() == 3


def test_no_key_comes_back_through_the_firewall(later: Personality) -> None:
    desk = Desk(later)
    desk.authenticate("PUK")
    desk.select("financial")
    desk.select("SSSE")
    desk.challenge()
    assert desk.sw(desk.sealed("84240000")) == 0x6982


def test_a_challenge_does_not_pass_the_firewall(later: Personality) -> None:
    desk = Desk(later)
    desk.select("financial")
    desk.challenge()
    desk.select("SSSE")
    assert desk.sw(desk.proof("PUK")) == 0x6984


# The two interfaces

CONVERSATION = [
    f"00A404000F{NAME}00",
    "00A4020002EF05",
    "00B2010500",
    "0084000008",
    "0088000010" + "00" * 16 + "00",
    "0020000003123456",
    by_name(AIDS["DF04"]) + "00",
    "B026000100",
    "B028000100",
    "B02800010B01000003E8510100000001" + "10",
    "B02E00010200" + "0008",
    "00A4020002EF15",
    "00A404000FFF",
]


@pytest.mark.parametrize("name", ["v1-des", "v2-3des", "v3-sm4"])
def test_both_interfaces_say_the_same_over_the_exchange(name: str) -> None:
    contact, contactless = (Desk(preset(name), contact=flag) for flag in (True, False))
    for sent in map(bytes.fromhex, CONVERSATION):
        assert exchange(contact.chip, sent) == exchange(contactless.chip, sent), sent.hex()


@pytest.mark.parametrize("name", ["v1-des", "v2-3des", "v3-sm4"])
def test_over_contacts_data_of_a_case_4_command_wait(name: str) -> None:
    contact, contactless = (Desk(preset(name), contact=flag) for flag in (True, False))
    for sent in ["0088000010" + "00" * 16, f"00A404000F{NAME}", by_name(AIDS["DF01"])]:
        at_once = contactless.send(sent)
        assert len(at_once) > 2
        assert contact.send(sent) == bytes((0x61, len(at_once) - 2))
        assert contact.send(bytes((0x00, 0xC0, 0, 0, len(at_once) - 2))) == at_once
        assert contactless.sw("00C0000008") == 0x6F00


def test_data_of_a_case_2_command_never_wait(later: Personality) -> None:
    for contact in (True, False):
        desk = Desk(later, contact=contact)
        assert len(desk.send("0084000008")) == 10
        desk.send("00A4020002EF05")
        assert len(desk.send("00B2010012")) == 20
        assert desk.send("00A4020002EF05") == b"\x90\x00"


def test_a_chip_is_one_card_whichever_interface_it_is_powered_by(later: Personality) -> None:
    """Counters and PIN are those of the chip, not of the interface."""
    desk = Desk(later)
    for contact in (True, False, True):
        chip = desk.card.chip(Random(1), contact=contact)
        atr = chip.power_on()
        assert atr[:2] == (b"\x3b\x6d" if contact else b"\x3b\x8d")
        chip.transmit(verify("999999"))
    assert desk.tries == 3
    assert desk.verify(PIN) == 0x9000


@pytest.mark.parametrize("name", ["v1-des", "v2-3des", "v3-sm4"])
def test_answers_to_reset(name: str) -> None:
    """card-files.md §2: 3B 6D 00 00 ‖ 13 historical bytes; contactless as a PC/SC reader builds it from the ATS."""
    card = Desk(preset(name)).card
    historical = bytes.fromhex("1234A1B2C38649510100000001")
    assert card.chip(Random(1), contact=True).power_on() == bytes.fromhex("3B6D0000") + historical
    atr = card.chip(Random(1), contact=False).power_on()
    assert atr[:-1] == bytes.fromhex("3B8D8001") + historical
    check = 0
    for byte in atr[1:]:
        check ^= byte
    assert check == 0
