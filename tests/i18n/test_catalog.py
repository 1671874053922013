"""Everything a person reads is in English or in Chinese, one at a time: the catalog, the sources, the command line."""

from __future__ import annotations

import ast
import json
import os
import pickle
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from hypothesis import given
from hypothesis import strategies as st

import catalogs
import kit
from sscard.conversation.explain import explain_command
from sscard.errors import InputError, InvalidValue, MissingPart, ReaderMissing
from sscard.hsm import HsmError, HsmUnavailable
from sscard.i18n.language import (
    CHINESE,
    ENGLISH,
    _,
    choose_language,
    is_chinese,
    language_in,
    padded,
    say,
    speaking,
)
from sscard.i18n.phrase import Phrase, Words
from sscard.i18n.word import Word
from sscard.issuer.cardfile import save_card
from sscard.issuer.holder import _FAMILY, _GIVEN
from sscard.issuer.standing import Standing
from sscard.proof.fuzz import PROGRAM
from sscard.scenario.context import NotPossible
from sscard.scenario.library import builtin_folder
from sscard.service import Channel, JournalUnavailable, Operation, Overtaken, Paper, Reason, Rule, Stage, WrongStage
from sscard.service.case import Act, Event
from sscard.service.journal.chain import Entry, written
from sscard.service.notices import (
    ADVICE,
    NO_FEE,
    Acceptance,
    Ground,
    NotDone,
    Operated,
    Refusal,
    ResultNotice,
    SupplementNotice,
)
from sscard.service.words import ApplicantKind, Document, Presence
from sscard.service.workdays import CHINA, Due
from sscard.standard.apdu import SW
from sscard.standard.encoding import InvalidPin
from sscard.terminal import WrongPin
from sscard.terminal.errors import UnknownAlgorithm, pin_error
from sscard.terminal.psam import PsamError
from sscard.transport.faults import CardMute
from sscard.transport.pcscd import _GUARD, DaemonFailed

HAN = re.compile("[\u4e00-\u9fff]")
PLACE = re.compile(r"\{[^{}]*\}")

# The catalog


@pytest.fixture(scope="module")
def messages() -> dict[str, str]:
    """The catalog: English to Chinese; both forms of a plural have the one Chinese."""
    return {
        form: message.string if isinstance(message.string, str) else message.string[0]
        for message in catalogs.translated()
        for form in ((message.id,) if isinstance(message.id, str) else message.id)
        if form
    }


@pytest.fixture(scope="module")
def extracted() -> Catalog:
    """What the sources say."""
    return catalogs.extracted()


def test_the_catalog_holds_what_the_sources_say_and_nothing_else(messages: dict[str, str], extracted: Catalog) -> None:
    ids = [message.id for message in extracted if message.id]
    forms = {form for one in ids for form in ((one,) if isinstance(one, str) else one)}
    assert set(messages) == forms, "make catalogs"


def test_every_message_is_translated_and_none_is_guessed(messages: dict[str, str]) -> None:
    assert not [text for text, chinese in messages.items() if not chinese.strip()]
    assert not [message.id for message in catalogs.translated() if message.id and message.fuzzy]
    assert not catalogs.translated().obsolete


NEVER_ONE = {"{count} hex digits", "{count} digits", "{count} scenarios failed alike: {step}"}
"""Numbers that are fixed, or two at least."""


def test_a_count_before_a_noun_has_a_plural(extracted: Catalog) -> None:
    """The command line shows its own numbers with ``_``."""
    single = [message for message in extracted if isinstance(message.id, str)]
    library = {message.id for message in single if any(not file.startswith("cli/") for file, _ in message.locations)}
    assert {text for text in library if re.search(r"\{count\} [a-z ]+s\b", text)} <= NEVER_ONE


ONE = {"no pair of free ports from {first} to {last}"}
"""A singular that says one without its number."""


def test_a_translation_has_the_places_of_its_message(messages: dict[str, str]) -> None:
    differing = {
        text: chinese
        for text, chinese in messages.items()
        if sorted(PLACE.findall(text)) != sorted(PLACE.findall(chinese)) and text not in ONE
    }
    assert not differing


def test_a_message_is_english_and_its_translation_chinese(messages: dict[str, str]) -> None:
    chinese_words = {"规范版本: which file tree and access rules the card has."}
    assert not {text for text in messages if HAN.search(text)} - chinese_words
    names = {"--abandon: {error}", "--key: {error}"}
    unchanged = {text for text, chinese in messages.items() if not HAN.search(chinese)}
    assert {text for text in unchanged if WORD.search(PLACE.sub("", text))} == names


def test_lines_of_a_message_stay_lines(messages: dict[str, str]) -> None:
    """The second line of an error is its remedy; a paragraph of help stays one."""
    errors = {text: chinese for text, chinese in messages.items() if text.count("\n") == 1}
    assert errors
    assert all(chinese.count("\n") == 1 for chinese in errors.values())
    assert all(text.count("\n\n") == chinese.count("\n\n") for text, chinese in messages.items())


def test_the_compiled_catalog_is_the_translated_one() -> None:
    assert catalogs.MO.read_bytes() == catalogs.compiled(catalogs.translated()), "make catalogs"


def test_there_is_nothing_left_to_bring_in() -> None:
    assert catalogs.PO.read_bytes() == catalogs.written(catalogs.merged()), "make catalogs"


# The sources

PACKAGE = catalogs.PACKAGE
MARKS = {"_", "N_", "Phrase", "plural", "joined"}
FOR_PROGRAMMERS = {"ValueError", "TypeError", "RuntimeError", "NotImplementedError", "AttributeError", "CipherError"}
VALIDATORS = re.compile(r"AfterValidator|BeforeValidator|field_validator|model_validator")
"""Where a ``ValueError`` becomes the error of a document."""
NO_TEXT = {
    "Words",
    "compile",
    "fullmatch",
    "Literal",
    "Field",
    "execute",
    "Popen",
    "__dict__",
    "_described",
    "WireError",
    "PowerError",
    "defect",
}
TELLS = {
    *("echo", "prompt", "print", "tell", "Option", "Argument", "Commands", "Table", "add_column", "Finding", "error"),
    *(
        "InputError",
        "InvalidValue",
        "MissingPart",
        "TransportError",
        "CardMute",
        "CardRemoved",
        "CardReset",
        "ReaderError",
    ),
    *("DaemonFailed", "HsmError", "HostError", "PsamError", "NotPossible", "NotDone", "Ground", "ApduError"),
    *("JournalUnavailable", "WrongStage", "Overtaken", "card_error", "Mismatch", "Outcome", "Text", "track"),
}
TEXTS = {"help", "remedy", "failure", "description", "file"}
"""The keywords of those calls that hold text."""
SENTENCE = re.compile(r"[a-z]{2,}[ ,:]+[a-z]{2,}")
WORD = re.compile(r"[a-z]{3,}")
COMMAND = re.compile(r"(sudo|pip|sscard|export|python|dask) ?|\{\} && export")

DATA = {
    "standard": "the standard's names of commands, status words, items and files, in both languages where it has both",
    "card": "as the standard",
    "chip": "errors of programs",
    "psam": "as the card",
    "service/item.py": "the item's labels are the page's own",
    "service/page.py": "the same",
    "service/statements.py": "reasons stand in both languages",
    "service/words.py": "words stand in both languages, as the item has them",
    "scenario/defect_parts.py": "parts of the chain, words in both languages",
    "scenario/defects/rules.py": "names of defects, and expressions of -k",
    "issuer/standing.py": "words in both languages",
    "service/case.py": "the same: stages and acts",
    "service/journal/schema.py": "tables of the database",
    "driver/errors.py": "the driver's descriptions are fixed by its sheet",
    "driver/api.py": "a driver answers with codes: what it calls an operation is shown nowhere",
    "driver/files.py": "the same",
    "cli/item.py": "styles",
    "scenario/start.py": "files of a project; the words in them go through the catalog",
}
"""Modules that hold words as data, and why these do not go through the catalog."""

AS_IT_IS = {
    "Value error, ": "how pydantic begins",
    "mac and encipher": "a word of key files",
    "birth date": "a word of place policies",
    "must change": "a word of place policies",
    "query only": "a word of place policies",
    "tag:yaml.org,2002:map": "a tag of YAML",
    "not valid": "a fact of the journal",
    "not applicable": "a verdict",
    "not tested": "a verdict",
    "no change": "a verdict",
    "not started": "a kind of failure",
    "model name": "a field of /proc/cpuinfo",
    "sscard card image": "a format",
    "sscard recording": "a format",
    "sscard journal": "what a key is checked with",
    "pcsc-lite version ": "how pcscd begins",
    "while scanning a quoted scalar": "how libyaml begins",
    "papers: {{}: {value: …, p95: …, unit: s, source: …}, …}": "of a timing model's file",
    "gcc libc6-dev": "packages",
    "ready to accept connections": "of PostgreSQL, only compared",
    "<ScriptedPad, {} entries left>": "for programmers",
    "no such operation; there are {}": "for programs, over HTTP",
    "the service's token is missing or wrong": "for programs, over HTTP",
    "POST {}{}{} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n"
    "Content-Length: {}\r\n\r\n{}": "HTTP",
    "{}{operation:path}": "a path of HTTP",
    "whether the service runs": "of the OpenAPI document",
    "refused, with the reason": "of the OpenAPI document",
    "at most {} bytes": "for programs, over HTTP",
    "the body is not text in its charset": "for programs, over HTTP",
    "the service failed": "for programs, over HTTP",
    "exceeded maximum nesting depth": "of libyaml, only compared",
    "the token is empty": "for programmers",
    "{}, Python {}, Linux {}": "names",
    NO_FEE: "a word of the item",
    ADVICE: "the English of the item's advice",
    _FAMILY: "made-up names",
    _GIVEN: "made-up names",
    _GUARD: "a script of the shell",
    PROGRAM: "a program",
    **{rule.chinese: "a field of the item" for rule in Rule},
    **{text: "a word in both languages" for channel in Channel for text in (channel.chinese, channel.english)},
    "known issue": "a verdict",
    "holder base": "a value of Message.to",
    "identity check": "a value of Message.to",
    "power cut": "a word of needs:",
    "to last": "a word of read_record:",
    "from last": "a word of read_record:",
    "user, administrator": "fields of a scenario",
    "pin, pin_bytes, enciphered": "fields of a scenario",
    "'blocked and not v2-3des'": "an expression of -k",
    "'verify and not slow'": "an expression of -m",
    "Bearer right": "a header of HTTP",
    "Bearer wrong": "a header of HTTP",
    "bold red": "a style",
    "bold green": "a style",
    "bold cyan": "a style",
    "[bold]{}[/]  {}  {}": "a style",
}
"""Literals that look like text and are none, or are no message of ours."""
NAMES = {"sscard", "pyscard", "pcscd", "vpcd", "based_on", "card", "personality", "tries_left", "tries", "told"}
NAMES |= {"says", "data", "key_tries", "state", "stage", "grounds", "missing"}
NAMES |= {"groups", "steps", "variables", "capture", "needs", "within", "covers", "image"}
NAMES |= {"entries", "place", "values", "proof", "error", "none", "against"}
NAMES |= {"rights", "use", "keys", "scenario", "file", "row", "step", "field"}
NAMES |= {"timing", "torn terminal"}
"""Fields and programs."""


LOGGED = re.compile(r"(logger|logging\.getLogger\('[a-z.]+'\))\.(debug|info)")
"""The log is for engineers, in English."""


def literals(tree: ast.AST, ignored: set[str]) -> Iterator[tuple[int, str, bool]]:
    """Line, text (places as {}) and whether a person sees it, of every string that is not marked for the catalog."""
    documentation = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}

    def walk(node: ast.AST, told: bool) -> Iterator[tuple[int, str, bool]]:
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            if name in ignored or LOGGED.fullmatch(ast.unparse(node.func)):
                return
            inside = told or name in TELLS | FOR_PROGRAMMERS
            yield from walk(node.func, False)
            for argument in node.args[2 if name == "plural" else name in MARKS :]:
                yield from walk(argument, inside)
            for keyword in node.keywords:
                yield from walk(keyword.value, inside and (keyword.arg in TEXTS or name in MARKS))
        elif isinstance(node, ast.Compare | ast.Subscript) or node in documentation:
            return
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value, told
        elif isinstance(node, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.Constant) else "{}" for part in node.values]
            yield node.lineno, "".join(map(str, parts)), told
            for part in node.values:
                if isinstance(part, ast.FormattedValue):
                    yield from walk(part.value, told)
        else:
            for child in ast.iter_child_nodes(node):
                yield from walk(child, told)

    yield from walk(tree, False)


def is_text(literal: str, told: bool) -> bool:
    """Whether it is something to read that the catalog should know."""
    if literal in AS_IT_IS or literal in NAMES or COMMAND.match(literal.strip()):
        return False
    return bool(SENTENCE.search(literal) or HAN.search(literal) or (told and WORD.search(PLACE.sub("", literal))))


def untranslated(source: str) -> list[tuple[int, str]]:
    ignored = NO_TEXT if VALIDATORS.search(source) else NO_TEXT | FOR_PROGRAMMERS
    return [(line, text) for line, text, told in literals(ast.parse(source), ignored) if is_text(text, told)]


def modules() -> list[Path]:
    data = [PACKAGE / name for name in DATA]
    return [path for path in sorted(PACKAGE.rglob("*.py")) if not any(path.is_relative_to(one) for one in data)]


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_no_text_is_left_untranslated(path: Path) -> None:
    assert not untranslated(path.read_text("utf-8"))


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('typer.echo("PIN changed")', True),
        ('typer.echo(_("PIN changed"))', False),
        ('raise InputError(f"no card {name}")', True),
        ('raise InputError(_("no card {name}", name=name))', False),
        ('raise InputError(problem, remedy="choose another")', True),
        ('problem = f"is a card image of version {version}"\nraise InputError(problem)', True),
        ('raise MissingPart(_("no pcscd"), "sudo apt-get install pcscd")', False),
        ('x: str = typer.Option(help="The card.")', True),
        ('typer.echo(f"{path}: {count}")', False),
        ('typer.echo("密码已修改")', True),
        ('raise ValueError("commands count from 1")', False),
        ('def f():\n    """A sentence for programmers."""', False),
        ('Table("key", "DF")', True),
        ('typer.echo(_("a {b}", b="something"))', True),
        ('typer.echo(_("a {b}", b=_("something")))', False),
        ('logger.info("card opened", extra={"kind": kind})', False),
        ('logging.getLogger("sscard.card").debug("card opened")', False),
        ('page.info("card opened")', True),
        ('raise ValueError("not a count")\nCount = AfterValidator(count)', True),
    ],
)
def test_the_search_for_untranslated_text_finds_it(source: str, found: bool) -> None:
    assert bool(untranslated(source)) is found


@pytest.mark.parametrize("name", ["report", "result", "coverage", "coverage_maps", "cases", "defects"])
def test_the_page_of_a_report_says_nothing_by_itself(name: str) -> None:
    text = (PACKAGE / "scenario" / "reports" / "templates" / f"{name}.html.j2").read_text("utf-8")
    for ignored in (r"<style>.*?</style>", r"\{\{.*?\}\}", r"\{%.*?%\}", r"<[^>]*>", "sscard:"):
        text = re.sub(ignored, "", text, flags=re.DOTALL)
    assert not WORD.search(text)


DISPLAY = (
    "campaign/report.py",
    "cli",
    "console",
    "testing/plugin.py",
    "__main__.py",
    "testing/suite.py",
    "scenario/reference.py",
    "scenario/reports",
    "scenario/side_by_side.py",
    "scenario/start.py",
    "conversation/replay.py",
    "conversation/reference.py",
)
"""Where text is shown as soon as it is made: ``_`` is for these."""


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_only_what_shows_text_makes_it(path: Path) -> None:
    """Anything else holds phrases; ``say`` is for the text of an error or a notice when it is shown."""
    if path.is_relative_to(PACKAGE / "i18n") or any(path.is_relative_to(PACKAGE / one) for one in DISPLAY):
        return
    calls = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)]
    assert not [call.lineno for call in calls if isinstance(call.func, ast.Name) and call.func.id in ("_", "N_")]


@pytest.mark.parametrize("package", ["standard", "chip", "card", "psam"])
def test_the_chip_knows_phrases_and_no_language(package: str) -> None:
    for path in (PACKAGE / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sscard.i18n"):
                assert node.module == "sscard.i18n.phrase", path


def own_nodes(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """The nodes of a function that share its names: its body, without functions and comprehensions within."""
    inner = (ast.FunctionDef, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        yield node
        waiting += [] if isinstance(node, inner) else list(ast.iter_child_nodes(node))


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_no_name_hides_the_translator(path: Path) -> None:
    """A throw-away ``_`` in a function would be called instead."""
    tree = ast.parse(path.read_text("utf-8"))
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        named = [node for node in own_nodes(function) if isinstance(node, ast.Name) and node.id == "_"]
        stored = [node for node in named if isinstance(node.ctx, ast.Store)]
        assert not stored or len(stored) == len(named), f"{function.name}, line {stored[0].lineno}: write __ there"


@pytest.mark.parametrize(
    "words", [Stage, Act, Channel, Operation, Reason, Paper, ApplicantKind, Document, Presence, Standing]
)
def test_every_word_of_the_service_has_both_languages(words: type[Word]) -> None:
    for word in words:
        assert HAN.search(word.chinese)
        assert word.english.isascii()
        assert "-" not in word.english.lower().replace("self-service", "").replace("pre-", "")


# The language


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, ENGLISH),
        ({"LANG": "zh_CN.UTF-8"}, CHINESE),
        ({"LANG": "C"}, ENGLISH),
        ({"LANG": "C.UTF-8"}, ENGLISH),
        ({"LANG": "de_DE.UTF-8"}, ENGLISH),
        ({"LANG": "zh_TW.UTF-8"}, CHINESE),
        ({"LC_ALL": "C", "LANG": "zh_CN.UTF-8"}, ENGLISH),
        ({"LC_ALL": "", "LC_MESSAGES": "zh_CN", "LANG": "en_US.UTF-8"}, CHINESE),
        ({"LANGUAGE": "zh", "LC_ALL": "en_US.UTF-8"}, CHINESE),
        ({"LANGUAGE": "fr:zh_CN:en", "LANG": "en_US"}, CHINESE),
        ({"LANGUAGE": "en:zh"}, ENGLISH),
        ({"LANGUAGE": "fr"}, ENGLISH),
    ],
)
def test_the_environment_chooses_as_for_other_programs(environment: dict[str, str], language: str) -> None:
    assert language_in(environment) == language


def test_a_message_is_translated_before_it_gets_its_values() -> None:
    message = "no personality {name!r}"
    assert _(message, name="v9") == "no personality 'v9'"
    choose_language(CHINESE)
    assert _(message, name="v9") == "没有卡型'v9'"
    assert _("never heard of") == "never heard of"


def test_braces_without_values_stay() -> None:
    assert _("The PIN for {pin}; once more for {pin2}, and so on.").count("{pin") == 2


def test_speaking_is_for_what_is_said_inside() -> None:
    with speaking(CHINESE):
        assert is_chinese()
        with speaking(ENGLISH):
            assert not is_chinese()
        assert is_chinese()
    assert not is_chinese()


@pytest.mark.parametrize("language", [ENGLISH, CHINESE])
def test_an_empty_message_is_never_looked_up(language: str) -> None:
    """GNU gettext answers the header of the catalog."""
    with speaking(language):
        assert _("") == ""
        assert say(Phrase()) == ""
        assert say("") == ""


@pytest.mark.parametrize(("count", "english"), [(0, "0 cards"), (1, "1 card"), (2, "2 cards"), (21, "21 cards")])
def test_a_number_before_a_noun_has_its_plural(count: int, english: str) -> None:
    phrase = Phrase.plural("{count} card", "{count} cards", count=count)
    assert say(phrase) == english
    with speaking(CHINESE):
        assert say(phrase) == f"{count}张卡"
    assert Phrase.from_facts(json.loads(json.dumps(phrase.to_facts()))) == phrase


def test_a_phrase_within_a_phrase_is_in_the_same_language() -> None:
    phrase = Phrase("cannot be read: {reason}", reason=Phrase("No such file or directory"))
    assert say(phrase) == "cannot be read: No such file or directory"
    with speaking(CHINESE):
        assert (
            say(phrase)
            == _("cannot be read: {reason}", reason=phrase.values["reason"])
            == "无法读取：没有此文件或文件夹"
        )


ERRORS = [
    InputError(Phrase("is empty"), file="a.yaml", line=3, remedy=Phrase("keep one of them")),
    InvalidValue(Phrase("not a count"), Phrase("write 4 to 16 digits")),
    InvalidPin(Phrase("a PIN has decimal digits only")),
    ReaderMissing(Phrase("no reader called {name!r}", name="x"), remedy=Phrase("this machine has no reader")),
    MissingPart(Phrase("pcscd is not installed"), "sudo apt-get install pcscd"),
    DaemonFailed(Phrase("pcscd exited on start\n{log}", log="")),
    CardMute(Phrase("the card does not answer")),
    HsmError(Phrase("no key at address {address}", address="100A")),
    HsmUnavailable(Phrase("the token's PIN is not given"), "SSCARD_TOKEN_PIN=PIN"),
    UnknownAlgorithm(9),
    NotPossible(Phrase("this card has no {key}", key="PUK")),
    WrongStage("7", Stage.ACCEPTED, Phrase("it has no reason")),
    Overtaken("7"),
    JournalUnavailable(Phrase("journal {shown}: {problem}", shown="j", problem=Phrase("the file is damaged"))),
    pin_error(Phrase("verify PIN"), SW.TRIES_LEFT | 5),
    PsamError(-2201, Phrase("no PSAM in the terminal")),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_made_in_english_is_shown_in_chinese_also_from_another_process(error: Exception) -> None:
    back = pickle.loads(pickle.dumps(error))  # noqa: S301 - made here
    assert str(back) == str(error)
    assert not HAN.search(str(error))
    if isinstance(error, InvalidPin):
        return  # the card's packages know no language: whoever shows the error says what it holds
    with speaking(CHINESE):
        assert HAN.search(str(error))
        assert str(back) == str(error)


values = st.text(max_size=5) | st.integers() | st.builds(Words, st.text(), st.text())
phrases = st.recursive(
    st.builds(Phrase, st.text(max_size=8)),
    lambda inner: st.builds(lambda text, value: Phrase(text, value=value), st.text(max_size=8), values | inner),
)


@given(phrases)
def test_a_phrase_comes_back_from_its_facts(phrase: Phrase) -> None:
    assert Phrase.from_facts(json.loads(json.dumps(phrase.to_facts()))) == phrase


def test_a_text_of_an_earlier_journal_is_quoted() -> None:
    assert say(Phrase.from_facts("密码不正确，{还可}再试5次")) == "密码不正确，{还可}再试5次"


@pytest.mark.parametrize("text", ["密码", "PIN", "密码PIN码", ""])
def test_chinese_takes_two_columns(text: str) -> None:
    assert len(padded(text, 10)) == 10 - len(HAN.findall(text))


# What the floors say


def say_both(thing: object) -> tuple[str, str]:
    with speaking(CHINESE):
        chinese = thing.text  # type: ignore[attr-defined]
    return thing.text, chinese  # type: ignore[attr-defined]


PROVINCE = Ground(Rule.CARD, "二、已办理过我省社会保障卡；", Phrase("the social security card cannot be read"))
WRONG_PIN = Phrase.plural("the PIN is wrong, {count} more try", "the PIN is wrong, {count} more tries", count=2)
NOTICES = [
    (Operated(Operation.RESET), "The PIN was reset", "密码重置成功"),
    (
        NotDone(WRONG_PIN),
        "2 more tries",
        "还可再试2次",
    ),
    (
        Refusal((PROVINCE, PROVINCE)),
        "Not accepted: ",
        "不予受理：社会保障卡读不出；依据申请条件（卡）：二、已办理过我省社会保障卡。",
    ),
    (
        SupplementNotice(tuple(Paper), ""),
        "resident ID card (the original), social",
        "身份证（原件）、中华人民共和国社会保障卡（原件）",
    ),
    (Acceptance(1, Due(date(2026, 1, 6))), "by 2026-01-06", "不晚于2026年1月6日"),
    (
        ResultNotice(
            "7", Operation.CHANGE, Words("try it", "到药店测试密码"), "无", True, None, "", 1, 0, (Channel.WINDOW,)
        ),
        "Fee: none. Visits on site: 1 (the page of the item states at most 0). Your PIN is",
        "到药店测试密码。收费：无。到现场次数：1（事项页面写最多0次）。您的密码",
    ),
]


@pytest.mark.parametrize(("notice", "english", "chinese"), NOTICES)
def test_the_service_tells_the_citizen_in_either_language(notice: object, english: str, chinese: str) -> None:
    told = say_both(notice)
    assert english in told[0]
    assert chinese in told[1]
    assert not SENTENCE.search(told[1])


def test_an_event_is_stored_free_of_any_language() -> None:
    event = Event(
        datetime(2026, 1, 5, 9, tzinfo=CHINA),
        Stage.ACCEPTED,
        Phrase("Handed over to {channel}", channel=Channel.WINDOW.words),
    )
    with speaking(CHINESE):
        kept = written(event)
    assert kept == written(event)
    read = Entry(lane=0, position=1, case="7", place=1, **kept).event()
    assert say_both(read) == ("Handed over to window", "转窗口办理")


def test_a_refusal_of_the_card_is_explained_in_either_language() -> None:
    assert "5 tries left" in str(pin_error("verify PIN", SW.TRIES_LEFT | 5))
    with speaking(CHINESE):
        refused = pin_error(Phrase("verify PIN"), SW.TRIES_LEFT | 5)
        assert str(refused) == "校验密码: 63C5 校验失败，剩余5次"
    assert isinstance(refused, WrongPin)
    assert str(pin_error("verify PIN", SW.TRIES_LEFT | 1)).endswith("1 try left")


@pytest.mark.parametrize(
    ("command", "english", "chinese"),
    [
        ("0084000008", "GET CHALLENGE (8 bytes)", "GET CHALLENGE 获取随机数 (8字节)"),
        (
            "00B2000200",
            "READ RECORD (current EF, next record of any identifier)",
            "读取记录 (当前EF，下一条记录，任意标识)",
        ),
        ("842400000400000000", "PIN CHANGE/UNBLOCK (unblock)", "个人密码修改/解锁 (解锁)"),
        ("B026000206", "GET BALANCE (self-paid total)", "读余额 (个人自付累计)"),
        ("00A4000002DF04", "SELECT (DF04 DF04)", "选择文件 (DF04 DF04 社会保险信息区2)"),
    ],
)
def test_a_command_is_explained_in_either_language(command: str, english: str, chinese: str) -> None:
    def explained() -> str:
        return say(explain_command(bytes.fromhex(command)))

    assert explained() == english
    with speaking(CHINESE):
        assert explained().endswith(chinese)


# The command line

HELPS = """
import json, sys
from click import Context
from click.testing import CliRunner
from sscard.cli.main import speak
speak("")
from sscard.cli.app import app

def walk(command, path):
    said = CliRunner(env={"COLUMNS": "200"}).invoke(app, [*path, "--help"], prog_name="sscard")
    assert said.exit_code == 0, said.output
    yield " ".join(path), said.output
    if hasattr(command, "list_commands"):
        for name in command.list_commands(Context(command)):
            yield from walk(command.get_command(Context(command), name), [*path, name])

json.dump(dict(walk(app, [])), sys.stdout)
"""


def program(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    plain = {
        name: value for name, value in os.environ.items() if name not in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")
    }
    return subprocess.run(  # noqa: S603
        [sys.executable, *map(str, command)],
        capture_output=True,
        text=True,
        check=False,
        env={**plain, "PYTHONIOENCODING": "utf-8", "COLUMNS": "100", **environment},
    )


def sscard(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return program("-m", "sscard.cli.main", *arguments, **environment)


@pytest.fixture(scope="module")
def chinese_help() -> dict[str, str]:
    """The help of every command, by its name."""
    done = program("-c", HELPS, LANG="zh_CN.UTF-8", COLUMNS="200")
    assert done.returncode == 0, done.stderr
    helps: dict[str, str] = json.loads(done.stdout)
    return helps


def test_every_command_has_chinese_help(chinese_help: dict[str, str]) -> None:
    assert len(chinese_help) > 25
    for command, said in chinese_help.items():
        before = said.partition("╭")[0].replace("用法：", "").replace("[选项]", "").replace("命令 [参数]...", "")
        assert HAN.search(before), command


def test_no_english_sentence_is_left_in_chinese_help(chinese_help: dict[str, str]) -> None:
    quoted = re.compile(r"sscard [a-z-]+( [a-z-]+)*|'[^']*'|cc program.c.*|<[^>]*>|\S+\|\S+|--[a-z]+ [a-z]+=")
    english = re.compile(r"\b[a-z]{2,} [a-z]{2,}\b")
    for command, said in chinese_help.items():
        assert not [line for line in said.splitlines() if english.search(quoted.sub("", line))], command


def test_the_option_speaks_chinese_from_the_first_word() -> None:
    done = sscard("--lang", "zh", "--help", LANG="en_US.UTF-8")
    assert "用法：" in done.stdout
    assert "选项" in done.stdout
    assert "虚拟社会保障卡" in done.stdout
    assert "显示本说明后退出。" in done.stdout
    assert "Show" not in done.stdout


@pytest.mark.parametrize(
    ("environment", "arguments", "chinese"),
    [
        ({"LANG": "zh_CN.UTF-8"}, (), True),
        ({"LANG": "C"}, (), False),
        ({}, (), False),
        ({"LANG": "zh_CN.UTF-8"}, ("--lang", "en"), False),
        ({"LANG": "C"}, ("--lang=zh",), True),
        ({"LANGUAGE": "en", "LANG": "zh_CN.UTF-8"}, (), False),
    ],
)
def test_errors_in_the_language(environment: dict[str, str], arguments: tuple[str, ...], chinese: bool) -> None:
    done = sscard(*arguments, "show", "nowhere.db", **environment)
    assert done.returncode == 2
    english = "sscard: nowhere.db: cannot be read: No such file or directory\n  expected a file in "
    assert done.stderr.startswith("sscard: nowhere.db: 无法读取：没有此文件或文件夹\n  应为" if chinese else english)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["sho"], "没有命令'sho'\n  是否想写'show'？"),
        (["show"], "缺少参数卡\n  参见：sscard show --help"),
        (["show", "a", "--jso"], "没有选项--jso\n  是否想写'--json'？"),
        (["show", "a", "b"], "多余的参数'b'\n  参见：sscard show --help"),
        (["issue", "-o"], "选项-o需要一个值\n  参见：sscard issue --help"),
        (["issue", "-o", "x", "--count", "0"], "--count: 0超出范围\n  应为：不小于1"),
        (["issue", "-o", "x", "--count", "two"], "--count: 'two'不是整数\n  不小于1"),
    ],
)
def test_errors_in_the_command_line_are_chinese(arguments: list[str], told: str) -> None:
    done = sscard("--lang", "zh", *arguments)
    assert done.returncode == 2
    assert done.stderr == f"sscard: {told}\n"


def test_another_language_is_refused() -> None:
    done = sscard("--lang", "fr", "item")
    assert done.returncode == 2
    assert "--lang" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "files",
    [
        pytest.param(["forgotten.yaml", "leaked.yaml", "wrong-trial.yaml", "new-pin-forbidden.yaml"], id="some"),
        pytest.param([""], id="all", marks=pytest.mark.nightly),
    ],
)
def test_scenarios_pass_in_either_language_with_the_same_commands(tmp_path: Path, files: list[str]) -> None:
    said, window = {}, [builtin_folder() / "11-service-window" / file for file in files]
    for language in (CHINESE, ENGLISH):
        trace, page = tmp_path / f"{language}.txt", tmp_path / f"{language}.html"
        done = sscard("--lang", language, "run", *window, "-k", "v3-sm4", "--trace", trace, "--html", page)
        assert done.returncode == 0, done.stdout
        wire = [line.partition("  ")[0] for line in trace.read_text("utf-8").splitlines() if line.startswith(">")]
        said[language] = done.stdout, wire, page.read_text("utf-8")
    assert said[CHINESE][1] == said[ENGLISH][1]
    assert "失败0" in said[CHINESE][0]
    assert "0 failed" in said[ENGLISH][0]
    assert '<html lang="zh">' in said[CHINESE][2]
    assert "秘密已遮蔽" in said[CHINESE][2]
    assert "Secrets are masked" in said[ENGLISH][2]


def test_a_failing_step_is_told_in_chinese(tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text("name: n\nproves: p\nsteps:\n- verify_pin: 999999\n", "utf-8")
    done = sscard("--lang", "zh", "run", tmp_path, "--junit", tmp_path / "junit.xml")
    assert done.returncode == 1
    assert "应为  9000 成功" in done.stdout
    assert "实为  63C5 校验失败，剩余5次" in done.stdout
    assert "sw：应为9000 成功" in (tmp_path / "junit.xml").read_text("utf-8")


@pytest.mark.slow
def test_a_card_and_its_refusals_in_chinese(tmp_path: Path) -> None:
    image = tmp_path / "card.db"
    save_card(kit.card_of("v3-sm4"), image)
    shown = sscard("--lang", "zh", "show", image, "--all").stdout
    assert "密码：已设，剩余6次" in shown
    assert "卡号: A00000011" in shown
    assert "变长记录" in shown
    assert {"自由", "禁止"} <= set(shown.split())
    assert not {"free", "never"} & set(shown.split())
    refused = sscard("--lang", "zh", "verify-pin", image, "--pin", "000000")
    assert refused.returncode == 1
    assert refused.stderr == "卡片拒绝：校验密码: 63C5 校验失败，剩余5次\n"
    again = sscard("--lang", "en", "verify-pin", image, "--pin", "000000")
    assert again.stderr == "the card refused: verify PIN: 63C4 verification failed, 4 tries left\n"


def test_a_personality_is_commented_in_chinese_and_read_again(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(sscard("--lang", "zh", "personality", "show", "v3-sm4").stdout, "utf-8")
    assert "# [OC-1] 密码的次数上限，1到15。" in mine.read_text("utf-8")
    assert sscard("--lang", "zh", "personality", "check", mine).stdout == f"{mine}：v3-sm4正确\n"


def test_help_in_chinese_is_quick_too() -> None:
    """Neither card nor models are loaded for it."""
    code = (
        "import sys\nfrom sscard.cli.main import main\n"
        "try: main(['--lang', 'zh', '--help'])\nexcept SystemExit: pass\n"
        "heavy = {'pydantic', 'yaml', 'cryptography', 'stdnum', 'babel'}\n"
        "sys.exit(repr(sorted(heavy & set(sys.modules)) or ''))"
    )
    assert program("-c", code).stderr.strip() == "''"
