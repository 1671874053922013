"""`sscard issue`, `show`, `apdu`, the PIN operations, `personality` on image files: output, exit codes, no secret."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

import kit
from kit.programs import CommandLine
from kit.programs import run as in_process_of_its_own
from sscard.card import Chip
from sscard.issuer import storage
from sscard.issuer.cardfile import FileCard, load_card, open_card, save_card
from sscard.standard.cipher import SM4

PIN, NEW, WRONG = "739184", "582036", "415926"

IMAGES = Path(__file__).parent.parent / "images"


@pytest.fixture(params=["v1-des", "v2-3des", "v3-sm4"])
def image(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    save_card(kit.card_of(request.param, PIN), tmp_path / "card.db")
    return tmp_path / "card.db"


@pytest.fixture
def one(tmp_path: Path) -> Path:
    save_card(kit.card_of("v3-sm4", PIN), tmp_path / "card.db")
    return tmp_path / "card.db"


def tries(path: Path) -> int:
    return load_card(path).snapshot().pin_tries


# issue


@pytest.mark.parametrize("name", ["v1-des", "v2-3des", "v3-sm4"])
def test_issue_makes_a_card_that_works(sscard: CommandLine, tmp_path: Path, name: str) -> None:
    path = tmp_path / "card.db"
    code, out, err = sscard("issue", "-o", path, "--personality", name, "--pin", PIN)
    assert (code, err) == (0, "")
    assert f"sscard show {path}" in out
    assert load_card(path).profile.personality.name == name
    assert sscard("verify-pin", path, "--pin", PIN)[0] == 0


def test_with_a_count_the_output_is_a_folder_also_for_one_card(sscard: CommandLine, tmp_path: Path) -> None:
    folder = tmp_path / "cards"
    code, out, _ = sscard("issue", "-o", folder, "--count", 1, "--seed", 3)
    assert (code, out.splitlines()[-1]) == (0, f"{folder}: 1 card")
    assert [path.name for path in folder.iterdir()] == ["card-000001.db"]
    assert sscard("issue", "-o", folder / "card-000001.db", "--count", 1, "--force")[0] == 2


def test_issue_for_a_given_holder(sscard: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "card.db"
    code, _, _ = sscard("issue", "-o", path, "--name", "张三", "--id", kit.HOLDER.id_number, "--city", "510100")
    assert code == 0
    text = load_card(path)
    content = b"".join(text.memory.strings)
    assert "张三".encode("gbk") in content
    assert kit.HOLDER.id_number.encode() in content
    assert bytes.fromhex("510100D156000005") in content


def test_a_seed_fixes_everything(sscard: CommandLine, tmp_path: Path) -> None:
    for name, seed in [("a", 7), ("b", 7), ("c", 8)]:
        assert sscard("issue", "-o", tmp_path / f"{name}.db", "--seed", seed)[0] == 0
    first, second, third = ((tmp_path / f"{name}.db").read_bytes() for name in "abc")
    assert first == second != third


def test_many_cards(sscard: CommandLine, tmp_path: Path) -> None:
    for folder in ("cards", "again"):
        done = sscard("issue", "-o", tmp_path / folder, "--count", 12, "--seed", 3)
        assert done == (0, f"{tmp_path / folder}: 12 cards\n", "")  # the progress is for a terminal
    names = [f"card-{number:06d}.db" for number in range(1, 13)]
    assert sorted(entry.name for entry in (tmp_path / "cards").iterdir()) == names
    contents = [(tmp_path / "cards" / name).read_bytes() for name in names]
    assert contents == [(tmp_path / "again" / name).read_bytes() for name in names]
    cards = [load_card(tmp_path / "cards" / name) for name in names]
    assert len({card.profile.historical for card in cards}) == 12


def test_a_card_of_a_series_depends_on_seed_and_number_only(sscard: CommandLine, tmp_path: Path) -> None:
    assert sscard("issue", "-o", tmp_path / "five", "--count", 5, "--seed", 3)[0] == 0
    assert sscard("issue", "-o", tmp_path / "part", "--count", 3, "--number", 3, "--seed", 3)[0] == 0
    for number in range(1, 6):
        alone = tmp_path / f"alone-{number}.db"
        assert sscard("issue", "-o", alone, "--number", number, "--seed", 3)[0] == 0
        assert alone.read_bytes() == (tmp_path / "five" / f"card-{number:06d}.db").read_bytes()
    names = [f"card-00000{number}.db" for number in (3, 4, 5)]
    assert sorted(path.name for path in (tmp_path / "part").iterdir()) == names
    for path in (tmp_path / "part").iterdir():
        assert path.read_bytes() == (tmp_path / "five" / path.name).read_bytes()
    assert sscard("issue", "-o", tmp_path / "plain.db", "--seed", 3)[0] == 0
    assert (tmp_path / "plain.db").read_bytes() == (tmp_path / "alone-1.db").read_bytes()


def test_a_card_of_a_series_has_one_name_however_many_are_issued(sscard: CommandLine, tmp_path: Path) -> None:
    for first, names in ((99, ["card-000099.db", "card-000100.db"]), (999_999, ["card-1000000.db", "card-999999.db"])):
        folder = tmp_path / str(first)
        assert sscard("issue", "-o", folder, "--count", 2, "--number", first, "--seed", 3)[0] == 0
        assert sorted(path.name for path in folder.iterdir()) == names


def test_the_cards_of_a_series_are_the_same_in_every_release(sscard: CommandLine, tmp_path: Path) -> None:
    assert sscard("issue", "-o", tmp_path / "cards", "--count", 3, "--seed", 1)[0] == 0
    cards = [load_card(tmp_path / "cards" / f"card-{number:06d}.db") for number in (1, 2, 3)]
    assert [card.profile.historical.hex().upper() for card in cards] == [
        "1234A1B2C38649410418072E8C",
        "1234A1B2C3864941043D0BFBF9",
        "1234A1B2C386494104811977C6",
    ]


@pytest.mark.parametrize(
    ("arguments", "check"),
    [
        (["--place", "tries-3"], lambda card: card.snapshot().pin_tries_max == 3),
        (["--place", "tries-10"], lambda card: card.snapshot().pin_tries == 10),
        (["--pin", "none"], lambda card: not card.snapshot().pin_set),
        (["--pin", "12345"], lambda card: card.memory.strings[0] == bytes.fromhex("12345F")),
        ([], lambda card: card.memory.strings[0] == bytes.fromhex("123456")),
    ],
)
def test_issue_follows_place_and_pin(sscard: CommandLine, tmp_path: Path, arguments: list[str], check) -> None:
    assert sscard("issue", "-o", tmp_path / "card.db", *arguments)[0] == 0
    assert check(load_card(tmp_path / "card.db"))


def test_issue_replaces_an_image_only_when_told(sscard: CommandLine, one: Path) -> None:
    before = one.read_bytes()
    code, _, err = sscard("issue", "-o", one)
    assert code == 2
    assert "exists already" in err
    assert "--force" in err
    assert one.read_bytes() == before
    assert sscard("issue", "-o", one, "--force")[0] == 0
    assert one.read_bytes() != before


def test_many_cards_replace_none(sscard: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "card-000003.db").write_text("mine")
    code, _, err = sscard("issue", "-o", tmp_path, "--count", 5)
    assert (code, [entry.name for entry in tmp_path.iterdir()]) == (2, ["card-000003.db"])
    assert "card-000003.db: exists already" in err


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--personality", "v4"], "no personality 'v4'"),
        (["--personality", "nowhere.yaml"], "nowhere.yaml: cannot be read"),
        (["--place", "tries-4"], "no place policy 'tries-4'"),
        (["--id", "410402198503150008"], "not an identity number"),
        (["--id", "abc"], "not an identity number"),
        (["--pin", "415"], "--pin: a PIN has 4 to 16 digits, got 3"),
        (["--pin", "41592x"], "--pin: a PIN has decimal digits only"),
        (["--city", "51"], "a city code has six digits"),
        (["--city", "五一〇一〇〇"], "a city code has six digits"),
        (["--count", "2", "--name", "张三"], "--name and --id are for one card"),
        (["--count", "0"], "--count"),
        (["--number", "2"], "--number needs --seed"),
        (["--number", "0", "--seed", "1"], "--number"),
        (["--keys", "nowhere.yaml"], "nowhere.yaml: cannot be read"),
        (["--nonsense"], "--nonsense"),
    ],
)
def test_issue_refuses_what_makes_no_card(
    sscard: CommandLine, tmp_path: Path, arguments: list[str], problem: str
) -> None:
    code, out, err = sscard("issue", "-o", tmp_path / "card.db", *arguments)
    assert (code, out) == (2, "")
    assert problem in err
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []
    assert "41592x" not in err


def test_issue_where_nothing_can_be_written(sscard: CommandLine, tmp_path: Path) -> None:
    code, _, err = sscard("issue", "-o", tmp_path / "no" / "card.db")
    assert code == 2
    assert "cannot be written: No such file" in err
    (tmp_path / "file").write_text("")
    code, _, err = sscard("issue", "-o", tmp_path / "file", "--count", 2)
    assert code == 2
    assert "cannot be a folder" in err


# show


def test_show_tells_the_state(sscard: CommandLine, image: Path) -> None:
    sscard("verify-pin", image, "--pin", WRONG)
    code, out, _ = sscard("show", image)
    assert code == 0
    assert "5 of 6 tries left" in out
    assert "张三" in out
    assert "PUK" not in out
    assert len(out.splitlines()) < 25
    code, out, _ = sscard("show", image, "--all")
    assert code == 0
    assert "5 of 6 tries left" in out
    assert "PUK" in out


def test_show_counts_the_unlocks_under_a_limit(sscard: CommandLine, image: Path, tmp_path: Path) -> None:
    assert "unlocks" not in sscard("show", image)[1]
    personality = tmp_path / "own.yaml"
    personality.write_text("based_on: v3-sm4\nname: own\nunlock_limit: 1\n", encoding="utf-8")
    card = tmp_path / "limited.db"
    assert sscard("issue", "-o", card, "--personality", personality, "--pin", PIN)[0] == 0
    assert "unlocks: 0 of 1" in sscard("show", card)[1]
    assert sscard("reset-pin", card, "--new", "654321")[0] == 0
    assert "unlocks: 1 of 1" in sscard("show", card)[1]
    code, _, err = sscard("reset-pin", card, "--new", "123456")
    assert (code, "6983" in err) == (1, True)
    assert "unlocks: 1 of 1 (unlock_limit), the PUK is blocked for ever" in sscard("show", card)[1]


def test_a_short_name_leaves_its_extension_unwritten_whatever_fills_a_text(sscard: CommandLine, tmp_path: Path) -> None:
    """Unwritten an is 00 [OC-22]."""
    personality, card = tmp_path / "own.yaml", tmp_path / "card.db"
    personality.write_text("based_on: v3-sm4\nname: own\nan_padding: 20\n", encoding="utf-8")
    assert sscard("issue", "-o", card, "--personality", personality, "--name", "张三", "--seed", 1)[0] == 0
    holder = load_card(card).profile.layout.ssse.fid
    file = load_card(card).profile.layout.file(holder, 0x06)
    assert bytes((0x4E, 20)) + bytes(20) in load_card(card).memory.strings[file.cell]
    lines = [line for line in sscard("show", card, "--all")[1].splitlines() if "4E" in line]
    assert ["not written" in line for line in lines] == [True]


def test_tables_that_go_to_no_terminal_are_not_wrapped(image: Path) -> None:
    for language in ("en", "zh"):
        done = in_process_of_its_own("--lang", language, "show", image, "--all")
        files = load_card(image).profile.layout.files
        rows = [line for line in done.stdout.splitlines() if re.search(" EF[0-9A-F]{2}", line)]
        assert len(rows) == len(files)


def test_show_for_programs(sscard: CommandLine, image: Path) -> None:
    card = load_card(image)
    code, out, _ = sscard("show", image, "--json")
    content = json.loads(out)
    assert code == 0
    assert content["pin"] == {"set": True, "tries_left": 6, "tries_max": 6}
    assert (content["card_blocked"], content["blocked_applications"]) == (False, [])
    assert content["certificates"] is None
    assert content["atr"] == card.profile.atr().hex().upper()
    assert content["ats"] == "127880A002" + card.profile.historical.hex().upper()
    assert content["uid"] == "00000001"
    assert content["unlocks"] == {"used": 0, "limit": None}
    assert len(content["files"]) == len(card.profile.layout.files)
    assert all("value" not in key for key in content["keys"])


def test_show_has_the_counters_of_the_certificate_pins(sscard: CommandLine, tmp_path: Path) -> None:
    card = tmp_path / "new.db"
    assert sscard("issue", "-o", card, "--certificates", "--seed", 1)[0] == 0
    wrong = f"0020018110{'00' * 16}"
    assert sscard("apdu", card, "00A404000C53532E434552542E41444631", "0084000010", wrong)[0] == 1
    _code, out, _ = sscard("show", card)
    assert "certificate application: user PIN 5 of 6 tries left, administrator PIN 6 of 6" in out
    content = json.loads(sscard("show", card, "--json")[1])
    assert content["certificates"] == {
        "user": {"tries_left": 5, "tries_max": 6},
        "administrator": {"tries_left": 6, "tries_max": 6},
    }
    assert content["pin"]["tries_left"] == 6
    assert {file["ef"] for file in content["files"] if file["df"] == "certificates"} >= {"0012", "0019"}


def test_revealed_keys_have_the_promised_shape(sscard: CommandLine, image: Path) -> None:
    card = load_card(image)
    layout = card.profile.layout
    content = json.loads(sscard("show", image, "--json", "--reveal-keys")[1])
    rows = content["keys"]
    assert len(rows) == sum(key.versions for key in layout.keys)
    for row in rows:
        assert set(row) == {"name", "df", "id", "version", "value", "tries_left", "tries_max"}
        index = layout.key_named(row["name"])
        key = layout.keys[index]
        assert bytes.fromhex(row["value"]) == card.profile.key(index, row["version"] - 1)
        assert (row["df"], int(row["id"], 16)) == (layout.df_name(key.df), key.number)
        assert (row["tries_left"], row["tries_max"]) == ((3, 3) if key.counted else (None, None))
    assert PIN not in json.dumps(content)


def test_show_recovers_a_torn_card_without_writing(sscard: CommandLine, tmp_path: Path) -> None:
    torn = tmp_path / "torn.db"
    assert sscard("image", "import", IMAGES / "2" / "v3-sm4-torn.json", "-o", torn)[0] == 0
    before = torn.read_bytes()
    content = json.loads(sscard("show", torn, "--json")[1])
    assert content["pin"]["tries_left"] == 6
    assert torn.read_bytes() == before


def test_a_migration_is_reported_beside_the_output(sscard: CommandLine, tmp_path: Path) -> None:
    code, out, err = sscard("image", "check", IMAGES / "1" / "v3-sm4-fresh.json", "--json")
    assert code == 0
    assert json.loads(out)["personality"] == "v3-sm4"
    assert "is of version 1, migrated to version 3" in err


# apdu


def test_apdu_from_arguments(sscard: CommandLine, image: Path) -> None:
    code, out, _ = sscard("apdu", image, "00B2012C12", "0084000008")
    assert code == 0
    assert out.count("9000") == 2
    code, out, _ = sscard("apdu", image, "00B2012C12", "00B2FF2C00")
    assert code == 1
    assert "6A83" in out


def test_apdu_raw_answers_line_by_line(sscard: CommandLine, one: Path) -> None:
    script = f"00B2012C12\n\n  # a comment\n00 20 00 00 03 {WRONG}   # wrong\n0020000003{PIN}\nreset\n00FF0000\n"
    code, out, err = sscard("apdu", one, "--raw", stdin=script)
    lines = out.splitlines()
    assert (code, err, len(lines)) == (0, "", 5)
    assert lines[0] == "0110510100D15600000500000001A1B2C3D4 9000"
    assert lines[1:3] == ["63C5", "9000"]
    assert lines[3] == load_card(one).profile.atr().hex().upper() + " 9000"
    assert lines[4] == "6D00"


def test_apdu_contactless(sscard: CommandLine, one: Path) -> None:
    select = f"00A404000F{kit.NAME}"
    assert sscard("apdu", one, "--raw", select)[1] == "611E\n"
    assert sscard("apdu", one, "--raw", "--contactless", select)[1].startswith("6F1C840F")


def test_apdu_explains(sscard: CommandLine, one: Path) -> None:
    code, out, _ = sscard("apdu", one, "--explain", "00B2012C12", f"0020000003{WRONG}")
    assert code == 1
    assert "READ RECORD" in out
    assert "identification code" in out
    assert "verification failed, 5 tries left" in out
    assert WRONG not in out


def test_apdu_writes_a_redacted_trace(sscard: CommandLine, one: Path, tmp_path: Path) -> None:
    trace = tmp_path / "trace.txt"
    script = f"0020000003{WRONG}\n805E010007{PIN}FF{NEW}\n"
    assert sscard("apdu", one, "--trace", trace, stdin=script)[0] == 1
    text = trace.read_text(encoding="utf-8")
    assert "VERIFY" in text
    assert "CHANGE PIN" in text
    assert not any(secret in text for secret in (PIN, NEW, WRONG))


@pytest.mark.parametrize("raw", [[], ["--raw"]])
def test_apdu_names_the_line_that_is_no_command(sscard: CommandLine, one: Path, raw: list[str]) -> None:
    code, out, err = sscard("apdu", one, *raw, stdin=f"00B2012C12\n0020000003{PIN}\nnonsense {WRONG}x\n")
    assert code == 2
    assert "9000" in out
    assert "<stdin>:3" in err
    assert WRONG not in err
    assert "Traceback" not in err


def test_what_was_sent_before_a_bad_line_is_on_disk(sscard: CommandLine, one: Path) -> None:
    sscard("apdu", one, stdin=f"0020000003{WRONG}\nnonsense\n")
    assert tries(one) == 5


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "cannot be"),
        ("", "is not a card file"),
        ("{}", "is a JSON image, not a card file"),
        ("SQLite format 3\0", "is not a card file"),
    ],
)
@pytest.mark.parametrize("command", ["apdu", "show", "verify-pin"])
def test_a_file_that_is_no_card_file(
    sscard: CommandLine, tmp_path: Path, command: str, content: str | None, problem: str
) -> None:
    path = tmp_path / "card.db"
    if content is not None:
        path.write_text(content)
    arguments = {"apdu": ["0084000008"], "show": [], "verify-pin": ["--pin", PIN]}[command]
    code, out, err = sscard(command, path, *arguments)
    assert (code, out) == (2, "")
    assert str(path) in err
    assert problem in err
    assert "Traceback" not in err


def test_a_truncated_card_file_is_refused(sscard: CommandLine, one: Path) -> None:
    one.write_bytes(one.read_bytes()[:3000])
    code, _, err = sscard("apdu", one, "0084000008")
    assert code == 2
    assert "is a damaged card file" in err
    assert "issue" in err


# The PIN operations


def test_the_life_of_a_pin(sscard: CommandLine, image: Path) -> None:
    assert sscard("verify-pin", image, "--pin", PIN)[0] == 0
    for left in (5, 4, 3):
        code, out, err = sscard("verify-pin", image, "--pin", WRONG)
        assert (code, out) == (1, "")
        assert str(left) in err
        assert f"{left} tries left" in err
    assert sscard("change-pin", image, "--old", PIN, "--new", NEW)[0] == 0
    assert tries(image) == 6
    for _ in range(6):
        assert sscard("verify-pin", image, "--pin", WRONG)[0] == 1
    assert tries(image) == 0
    code, _, err = sscard("verify-pin", image, "--pin", NEW)
    assert code == 1
    assert "blocked" in err
    code, out, _ = sscard("unblock-pin", image)
    assert (code, tries(image)) == (0, 6)
    assert "6 tries left" in out
    assert sscard("verify-pin", image, "--pin", NEW)[0] == 0
    assert sscard("reset-pin", image, "--new", PIN)[0] == 0
    assert sscard("verify-pin", image, "--pin", PIN)[0] == 0
    assert not any(secret in sscard.said for secret in (PIN, NEW, WRONG))


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["verify-pin", "--pin", "123"], "--pin: a PIN has 4 to 16 digits, got 3"),
        (["verify-pin", "--pin", "41592x"], "--pin: a PIN has decimal digits only"),
        (["change-pin", "--old", PIN, "--new", "1" * 17], "--new: a PIN has 4 to 16 digits, got 17"),
        (["change-pin", "--old", "4159x", "--new", NEW], "--old: a PIN has decimal digits only"),
        (["reset-pin", "--new", "415"], "--new: a PIN has 4 to 16 digits, got 3"),
        (["unblock-pin", "--keys", "nowhere.yaml"], "nowhere.yaml: cannot be read"),
    ],
)
def test_pin_operations_refuse_what_is_no_pin(
    sscard: CommandLine, one: Path, arguments: list[str], problem: str
) -> None:
    command, *options = arguments
    code, out, err = sscard(command, one, *options)
    assert (code, out) == (2, "")
    assert problem in err
    assert "41592x" not in err
    assert "4159x" not in err
    assert tries(one) == 6


def test_a_wrong_old_pin_changes_nothing(sscard: CommandLine, one: Path) -> None:
    assert sscard("change-pin", one, "--old", WRONG, "--new", NEW)[0] == 1
    assert tries(one) == 5
    assert sscard("verify-pin", one, "--pin", PIN)[0] == 0


def test_a_pin_is_set_where_none_was(sscard: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "card.db"
    sscard("issue", "-o", path, "--pin", "none")
    assert sscard("change-pin", path, "--old", "none", "--new", NEW)[0] == 0
    assert sscard("verify-pin", path, "--pin", NEW)[0] == 0


def test_a_blocked_card_is_refused_in_words(sscard: CommandLine, tmp_path: Path) -> None:
    desk = kit.Desk("v3-sm4", PIN)
    desk.block_card()
    path = tmp_path / "card.db"
    save_card(desk.card, path)
    for command in (["verify-pin", "--pin", PIN], ["reset-pin", "--new", NEW], ["unblock-pin"]):
        code, _, err = sscard(command[0], path, *command[1:])
        assert code == 1
        assert "6A81" in err


# Personalities


def test_personalities_are_listed_shown_and_checked(sscard: CommandLine, tmp_path: Path) -> None:
    code, out, _ = sscard("personality", "list")
    assert code == 0
    assert all(name in out for name in ("v1-des", "v2-3des", "v3-sm4", "tries-3", "tries-10"))
    code, out, _ = sscard("personality", "show", "v3-sm4")
    assert code == 0
    assert "[OC-1]" in out
    own = tmp_path / "own.yaml"
    own.write_text(out, encoding="utf-8")
    assert sscard("personality", "check", own)[0] == 0
    own.write_text(out.replace("pin_tries: 6", "pin_tries: 16"), encoding="utf-8")
    code, _, err = sscard("personality", "check", own)
    assert code == 2
    assert f"{own}:" in err
    assert "pin_tries" in err


@pytest.mark.parametrize("algorithm", ["SSF33", "SM1"])
def test_secret_algorithms_are_refused_with_the_reason(sscard: CommandLine, tmp_path: Path, algorithm: str) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(f"based_on: v3-sm4\nname: own\nalgorithm: {algorithm}\n", encoding="utf-8")
    code, _, err = sscard("issue", "-o", tmp_path / "card.db", "--personality", own)
    assert code == 2
    assert f"{algorithm} is not public" in err


# No secret leaves without being asked for


def test_no_output_holds_a_pin_or_key(sscard: CommandLine, image: Path, tmp_path: Path) -> None:
    card = load_card(image)
    keys = {
        card.profile.key(index, version).hex().upper()
        for index, key in enumerate(card.profile.layout.keys)
        for version in range(key.versions)
    }
    trace = tmp_path / "trace.txt"
    verify, change = f"0020000003{PIN}", f"805E010007{PIN}FF{NEW}"
    for arguments in (
        ["show", image],
        ["show", image, "--json"],
        ["apdu", image, verify, change],
        ["apdu", image, "--explain", f"0020000003{WRONG}", change],
        ["apdu", image, "--raw", f"0020000003{WRONG}"],
        ["apdu", image, "--trace", trace, f"8020000003{WRONG}", f"0020000103{WRONG}", f"00200000{WRONG}"],
        ["change-pin", image, "--old", NEW, "--new", PIN],
        ["reset-pin", image, "--new", NEW],
        ["unblock-pin", image],
        ["verify-pin", image, "--pin", WRONG],
    ):
        sscard(*arguments)
    said = (sscard.said + trace.read_text(encoding="utf-8")).upper()
    assert not [secret for secret in (PIN, NEW, WRONG) if secret in said]
    assert not [key for key in keys if key in said]
    revealed = sscard("show", image, "--reveal-keys")[1]
    assert all(key in revealed for key in keys)


# One process at a time


@pytest.mark.parametrize("command", ["apdu", "verify-pin", "unblock-pin"])
def test_a_card_that_is_open_in_this_process_is_refused(sscard: CommandLine, one: Path, command: str) -> None:
    arguments = {"apdu": ["0084000008"], "verify-pin": ["--pin", PIN], "unblock-pin": []}[command]
    with open_card(one, Random(1)) as card:
        card.power_on()
        code, out, err = sscard(command, one, *arguments)
        assert (code, out) == (2, "")
        assert f"{one}: is open in this process already" in err
    assert sscard(command, one, *arguments)[0] == 0


# A program of any language at the pipe


@pytest.fixture
def pipe(one: Path) -> Iterator[subprocess.Popen[str]]:
    code = "from sscard.cli.main import main; main()"
    with subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", code, "apdu", str(one), "--raw"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        yield process


def test_a_program_drives_a_card_through_a_pipe(sscard: CommandLine, one: Path, pipe: subprocess.Popen[str]) -> None:
    """Each answer is there before the next command is written; the second process is refused with the first's pid."""
    keys = json.loads(sscard("show", one, "--json", "--reveal-keys")[1])["keys"]
    puk, stk = (
        bytes.fromhex(next(key["value"] for key in keys if key["name"] == name and key["version"] == 1))
        for name in ("PUK", "STK")
    )
    assert pipe.stdin is not None
    assert pipe.stdout is not None

    def ask(command: str) -> str:
        pipe.stdin.write(command + "\n")
        pipe.stdin.flush()
        return pipe.stdout.readline().strip()

    challenge, sw = ask("0084000008").split()
    assert sw == "9000"
    code, _, err = sscard("apdu", one, "0084000008")
    assert code == 2
    assert f"is in use by process {pipe.pid}" in err
    random = bytes.fromhex(challenge)
    proof = SM4.authenticate(SM4.key(puk), random, kit.ORIGINAL)
    assert ask(f"0082000610{proof.hex()}{kit.ORIGINAL.hex()}") == "9000"
    random = bytes.fromhex(ask("0084000008").split()[0])
    session = SM4.session_key(SM4.key(stk), random)
    head = bytes.fromhex("8424000114") + SM4.encipher_pin(session, bytes.fromhex(NEW))
    assert ask((head + SM4.mac(session, head)).hex()) == "9000"
    assert ask(f"0020000003{NEW}") == "9000"
    pipe.stdin.close()
    assert pipe.wait() == 0
    assert sscard("verify-pin", one, "--pin", NEW)[0] == 0


# Algorithms


@pytest.mark.parametrize("operation", [("reset-pin", "--new", NEW), ("unblock-pin",)])
@pytest.mark.parametrize(
    ("named", "text"),
    [("07", "the card names algorithm 07, which is unknown;"), ("02", "algorithm 02 is not supported;")],
)
def test_an_algorithm_nobody_computes_is_an_error_and_costs_no_try(
    sscard: CommandLine, one: Path, monkeypatch: pytest.MonkeyPatch, operation: tuple[str, ...], named: str, text: str
) -> None:
    whole = Chip.transmit
    fci = bytes.fromhex(f"9F0C038601{named}")
    monkeypatch.setattr(
        Chip, "transmit", lambda chip, command: whole(chip, command).replace(bytes.fromhex("9F0C03860103"), fci)
    )
    code, out, err = sscard(operation[0], one, *operation[1:])
    assert (code, out) == (1, "")
    assert err.startswith(f"sscard: {text}")
    assert load_card(one).snapshot().key_tries["PUK"] == (3,)
    assert sscard("verify-pin", one, "--pin", PIN)[0] == 0


# --sync


@pytest.mark.parametrize(
    "words",
    [
        "apdu {card} 0084000008",
        "record {card} 0084000008 -o {folder}/talk",
        "replay {folder}/script {card}",
        "compare {folder}/script {card} {folder}/other.db",
        f"verify-pin {{card}} --pin {PIN}",
        f"change-pin {{card}} --old {PIN} --new {NEW}",
        f"reset-pin {{card}} --new {NEW}",
        "unblock-pin {card}",
        f"case open {{card}} --reason forgotten --new {NEW} --journal {{folder}}/journal.db "
        "--journal-key {folder}/journal.key",
    ],
)
def test_every_command_that_uses_a_card_passes_sync_on_to_it(
    sscard: CommandLine, one: Path, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In memory nothing can be synced, and a warning says so."""
    folder = one.parent
    (folder / "script").write_text("0084000008\n")
    (folder / "mountinfo").write_text("36 35 98:0 / / rw - tmpfs tmpfs rw\n")
    save_card(kit.card_of("v3-sm4", PIN), folder / "other.db")
    monkeypatch.setattr(storage, "MOUNTS", folder / "mountinfo")
    warning = f"{one}: is on tmpfs: in spite of --sync it is lost without power"
    arguments = [word.format(card=one, folder=folder) for word in words.split()]
    assert warning in sscard(*arguments, "--sync")[2]
    force = ["--force"] if arguments[0] == "record" else []
    assert warning not in sscard(*arguments, *force)[2]


def test_sync_of_a_card_that_is_no_file_is_an_error(sscard: CommandLine) -> None:
    code, _, err = sscard("apdu", "exec:true", "0084000008", "--sync")
    assert code == 2
    assert err == "sscard: exec:true: only the changes of a card file can be synced\n  leave --sync out\n"


# --trace and --seed


@pytest.mark.parametrize(
    ("words", "last"),
    [
        (f"verify-pin {{card}} --pin {PIN}", "VERIFY: 9000"),
        (f"verify-pin {{card}} --pin {WRONG}", "63C5"),
        (f"change-pin {{card}} --old {PIN} --new {NEW}", "9000"),
        (f"reset-pin {{card}} --new {NEW}", "9000"),
        ("unblock-pin {card}", "9000"),
    ],
)
def test_pin_commands_write_a_redacted_trace_for_their_user_only(
    sscard: CommandLine, one: Path, words: str, last: str
) -> None:
    trace = one.parent / "trace.txt"
    arguments = [word.format(card=one) for word in words.split()]
    assert sscard(*arguments, "--trace", trace)[0] == (1 if WRONG in words else 0)
    text = trace.read_text("utf-8")
    assert text.startswith("# power on 3B6D0000")
    assert last.rpartition(" ")[2] in text
    assert not any(secret in text for secret in (PIN, NEW, WRONG))
    assert os.name == "nt" or stat.S_IMODE(trace.stat().st_mode) == 0o600


@pytest.mark.parametrize("command", [f"verify-pin --pin {PIN}", "apdu 0084000008"])
def test_an_existing_trace_is_kept_unless_forced(sscard: CommandLine, one: Path, command: str) -> None:
    trace = one.parent / "trace.txt"
    trace.write_text("the last one\n")
    trace.chmod(0o644)
    name, *rest = command.split()
    code, _, err = sscard(name, one, *rest, "--trace", trace)
    assert (code, trace.read_text()) == (2, "the last one\n")
    assert f"{trace}: exists already" in err
    assert sscard(name, one, *rest, "--trace", trace, "--force")[0] == 0
    assert "the last one" not in trace.read_text("utf-8")
    assert os.name == "nt" or stat.S_IMODE(trace.stat().st_mode) == 0o600


def test_a_trace_is_no_input_of_its_command(sscard: CommandLine, one: Path) -> None:
    code, _, err = sscard("verify-pin", one, "--pin", PIN, "--trace", one, "--force")
    assert code == 2
    assert f"{one}: is an input or another output" in err
    assert tries(one) == 6


def test_challenges_of_a_seed_are_the_same_in_every_command(sscard: CommandLine, one: Path) -> None:
    """They differ within a run, and from those of another seed and of none."""
    asked = ("0084000008", "0084000008")
    recording = one.parent / "talk.jsonl"
    out = [sscard("apdu", one, *asked, "--raw", *seed)[1] for seed in (("--seed", "7"), ("--seed", "8"), ())]
    first = out[0].splitlines()
    assert len({*first, *out[1].splitlines(), *out[2].splitlines()}) == 6
    assert sscard("apdu", one, *asked, "--raw", "--seed", "7")[1] == out[0]
    assert sscard("record", one, *asked, "-o", recording, "--seed", "7")[0] == 0
    kept = [json.loads(line) for line in recording.read_text("utf-8").splitlines()]
    assert [f"{line['data']} 9000" for line in kept if line.get("event") == "command"] == first


def test_a_cryptogram_made_for_the_challenges_of_a_seed_opens_the_key(sscard: CommandLine, one: Path) -> None:
    """The proof is computed from the first run, and plays in the next."""
    steps = ["00A404000F" + kit.NAME, "0084000008"]
    challenge = bytes.fromhex(sscard("apdu", one, *steps, "--raw", "--seed", "7")[1].splitlines()[1].split()[0])
    profile = load_card(one).profile
    key = SM4.key(profile.key(profile.layout.key_named("PUK"), 0))
    proof = SM4.authenticate(key, challenge, kit.ORIGINAL) + kit.ORIGINAL
    played = sscard("apdu", one, *steps, f"0082000610{proof.hex()}", "--seed", "7")
    assert played[0] == 0, played


def test_a_seed_of_a_card_that_is_no_file_is_an_error(sscard: CommandLine) -> None:
    code, _, err = sscard("apdu", "exec:true", "0084000008", "--seed", "1")
    assert code == 2
    assert err == "sscard: exec:true: only the challenges of a card file can be fixed\n  leave --seed out\n"


@pytest.mark.parametrize(
    "command",
    [
        f"verify-pin {{card}} --pin {PIN}",
        f"change-pin {{card}} --old {PIN} --new {NEW}",
        f"reset-pin {{card}} --new {NEW}",
        "unblock-pin {card}",
        f"case open {{card}} --old {PIN} --new {NEW} --channel window --reason leaked --paper id-card"
        " --paper social-security-card --journal {folder}/journal.db --journal-key {folder}/journal.key",
        "apdu {card} 0084000008",
        "apdu {card} 0084000008 --raw",
        "apdu {card} 0084000008 --json",
        "apdu {card} 0084000008 --explain",
        "record {card} 0084000008 -o {folder}/new.rec",
        "replay {folder}/talk.rec {card} --hsm soft:",
    ],
)
def test_half_a_status_word_is_no_answer_to_any_command(
    sscard: CommandLine, one: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    talk = ("00A404000F7378312E73682EC9E7BBE1B1A3D5CF", "0084000008")
    assert sscard("record", one, "-o", one.parent / "talk.rec", *talk)[0] == 0
    monkeypatch.setattr(FileCard, "transmit", lambda *_: b"\x63")
    code, out, err = sscard(*(word.format(card=one, folder=one.parent) for word in command.split()))
    assert code == 1
    assert "the card answered 1 byte, at least 2 expected" in out + err


def test_half_a_status_word_is_in_the_recording(
    sscard: CommandLine, one: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = one.parent / "talk.rec", one.parent / "talk.txt"
    monkeypatch.setattr(FileCard, "transmit", lambda *_: b"\x63")
    assert sscard("record", one, "-o", files[0], "0084000008")[0] == 1
    assert sscard("apdu", one, "--trace", files[1], "0084000008")[0] == 1
    for file in files:
        text = file.read_text("utf-8")
        assert "no status word" in text
        assert "power off" in text
