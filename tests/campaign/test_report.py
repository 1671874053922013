"""The page of a campaign: what it states in both languages, what it escapes, and how it fits its screen."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from kit.browser import chromium
from kit.campaign_rows import PLAN, card
from kit.programs import CommandLine
from sscard.campaign.figures import Figures
from sscard.campaign.report import campaign_page, time_plots, tries_text
from sscard.campaign.rows import Failure, Outcome
from sscard.campaign.waiting import hours_of, waiting
from sscard.cli.campaign_figures import figure_facts
from sscard.i18n.language import speaking

REPEAT = "sscard campaign --results 'my results.db' --card"
HOURS = hours_of(dict.fromkeys(range(9, 17), 1), 5)
NAMED = replace(PLAN, cards=40, products=("v3-sm4", "<b>own</b> & co"), behaviours=("careful", "<i>mine</i>"))
FAILURE = Failure(17, "as-the-oracle", "verify <at> the pharmacy", "{}", "00200080 08 ******\n63C2")


class Read(HTMLParser):
    """What a page loads, the text that a reader sees, and its labels."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self.labels: list[str] = []
        self._inside = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag
        self.tags.append(tag)
        self.loaded += [str(value) for name, value in attrs if name in ("src", "href", "xlink:href", "action")]
        self.labels += [str(value) for name, value in attrs if name in ("aria-label", "title")]

    def handle_data(self, data: str) -> None:
        if self._inside not in ("style", "code", "pre"):
            self.text += f"{data} "


def made(digest: str = "ab" * 32) -> Figures:
    """Figures with every section of the page: 30 cards of 40, some blocked, some at the windows, one failing."""
    figures = Figures(NAMED, digest)
    outcomes = [*Outcome]
    for index in range(30):
        nine = 9 * 3600 + index
        row = card(index, arrival=index * 900, product=index % 2, behaviour=index % 2, place=index % 2)
        if index % 3:
            row = row._replace(visit_at=nine, visit_ms=300_000, hsm_operations=2, wrong_tries=index, commands=40)
        if index % 5 == 0:
            row = row._replace(locked_at=index * 1000, lockouts=1, tries_left=0, tries_limit=10)
        figures.add(row._replace(outcome=outcomes[index % len(outcomes)]))
    figures.waiting = waiting(figures.visits, HOURS)
    figures.layers.update({"service": 0.5, "hsm": 0.1, "card": 0.2, "oracle": 0.1, "issue": 0.2})
    names = ("line", "memory", "cipher", "terminal", "hsm", "papers", "entry")
    figures.modelled.update(dict.fromkeys(names, 9.5))
    figures.failures, figures.failed = [FAILURE], 1
    return figures


@pytest.fixture(params=["en", "zh"])
def language(request: pytest.FixtureRequest) -> Iterator[str]:
    with speaking(request.param):
        yield request.param


def test_the_page_loads_nothing_and_runs_nothing(language: str) -> None:
    page = campaign_page(made(), REPEAT)
    read = Read(page)
    assert read.loaded == []
    assert not {"script", "link", "img", "iframe"} & {*read.tags}
    assert "url(" not in page
    assert "http" not in page
    assert f'lang="{language}"' in page
    assert page.startswith("<!doctype html>")


def test_names_of_the_user_are_escaped(language: str) -> None:
    page = campaign_page(made(), REPEAT)
    read = Read(page)
    assert not {"b>own", "i>mine"} & {*re.findall(r"<([^>]+>\w+)", page)}
    assert {"<b>own</b> & co", "<i>mine</i>"} <= {*read.labels}
    assert "verify <at> the pharmacy" in read.text


SAME_IN_BOTH = {
    *("sscard", "APDU", "PIN", "v", "sm", "three", "ten", "mine", "own", "co", "as", "the", "oracle", "verify"),
    *("at", "pharmacy", "b", "i"),
}
"""Names of the test's own."""


def test_the_chinese_page_has_no_english_text() -> None:
    with speaking("zh"):
        read = Read(campaign_page(made(), REPEAT))
    words = {*re.findall("[A-Za-zµ]+", read.text + " ".join(read.labels))}
    assert words <= SAME_IN_BOTH


def test_the_english_page_has_no_chinese_text() -> None:
    with speaking("en"):
        assert not re.search(r"[\u4e00-\u9fff]", Read(campaign_page(made(), REPEAT)).text)


def test_a_failing_card_has_its_step_its_trace_and_the_command_that_repeats_it() -> None:
    with speaking("en"):
        page = campaign_page(made(), REPEAT)
    assert "invariants broken: 1" in page
    assert "sscard campaign --results &#39;my results.db&#39; --card 17" in page
    assert "00200080 08 ******\n63C2" in page


def test_the_time_at_the_window_is_a_table_by_product_and_outcome(language: str) -> None:
    figures = made()
    rows = figure_facts(figures)["standing"]
    page = Read(campaign_page(figures, REPEAT)).text
    heading, after = (
        ("time at the window", "waiting at the windows") if language == "en" else ("在窗口的时间", "窗口等候")
    )
    section = page.split(heading)[1].split(after)[0]
    minutes = "5 min 0 s" if language == "en" else "5分0秒"
    assert section.count(minutes) == 2 * len(rows) == 12
    named = re.findall("v3-sm4|<b>own</b> & co", section)
    assert named == [row["product"] for row in rows]
    counts = re.findall(r" (\d+)\s+" + minutes, section)
    assert counts == [str(row["visits"]) for row in rows]
    assert heading not in Read(campaign_page(Figures(PLAN), REPEAT)).text


def test_an_interrupted_campaign_says_how_far_it_came() -> None:
    with speaking("en"):
        page = campaign_page(made(digest=""), REPEAT)
        assert "interrupted: 30 of 40 cards done" in page
        assert "digest" not in Read(page).text
        complete = made()
        complete.plan = replace(NAMED, cards=30)
        page = campaign_page(complete, REPEAT)
        assert "interrupted" not in Read(page).text
        assert "ab" * 32 in page


def test_a_campaign_without_a_card_has_a_page(language: str) -> None:
    read = Read(campaign_page(Figures(PLAN), REPEAT))
    assert "svg" not in read.tags
    assert ("interrupted: 0 of 100" if language == "en" else "已中断：完成0张") in read.text


def test_each_number_of_a_plot_is_in_a_table_too() -> None:
    """The sums of the tables of lock-outs, HSM operations and arrivals are those of the campaign."""
    figures = made()
    with speaking("en"):
        page = campaign_page(figures, REPEAT)
    tables = page.split("<details><summary>numbers</summary>")[1:]
    sums = [
        sum(map(int, re.findall(r'<td class="number">(\d+)</td>', table.partition("</table>")[0]))) for table in tables
    ]
    assert sums == [30, 6, figures.hsm_operations]


def test_the_page_changes_no_figure() -> None:
    figures = made()
    for limit in range(1, 16):
        figures.locked[limit].add(30 * 86_400 if limit == 1 else 60 * limit)
    figures.locked[6].add(30 * 86_400)
    before = figure_facts(figures)
    campaign_page(figures, REPEAT)
    assert figure_facts(figures) == before


def test_no_two_limits_of_the_lock_outs_have_the_same_colour(language: str) -> None:
    figures = Figures(PLAN)
    for limit in range(1, 16):
        for index in range(limit):
            figures.add(card(index, locked_at=100 * limit, lockouts=1, tries_limit=limit, tries_left=0))
    plot = next(each for each in time_plots(figures) if len(each.series) > 1)
    colours = [key.colour for key in plot.series]
    assert len({*colours}) == len(colours)
    assert [key.text for key in plot.series[:-1]] == [tries_text(limit) for limit in range(9, 16)]
    assert ("other limits" if language == "en" else "其他上限") in Read(campaign_page(figures, REPEAT)).text
    sums = [sum(column) for column in zip(*(numbers for _begin, numbers in plot.numbers), strict=True)]
    assert sums == [*range(9, 16), sum(range(1, 9))]


def test_the_command_writes_the_page_of_a_run_and_of_its_results(tmp_path: Path, sscard: CommandLine) -> None:
    results, first, second = tmp_path / "results.db", tmp_path / "first.html", tmp_path / "second.html"
    run = ("campaign", "--cards", "40", "--workers", "1", "--results", results)
    code, out, err = sscard(*run, "--html", first)
    assert (code, err) == (0, "")
    assert "blocked at least once, by limit of tries:" in out
    assert sscard("campaign", "show", results, "--html", second)[0] == 0
    read = Read(first.read_text("utf-8"))
    assert read.loaded == []
    assert "no invariant broken" in read.text
    assert first.read_text("utf-8") == second.read_text("utf-8")
    assert sscard("campaign", "--cards", "1", "--html", tmp_path)[0] == 2
    assert sscard("campaign", "--card", "1", "--html", first)[0] == 2


# In a browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


@pytest.mark.parametrize(
    ("width", "scheme"),
    [
        (1280, "light"),
        (390, "dark"),
        pytest.param(1280, "dark", marks=pytest.mark.nightly),
        pytest.param(390, "light", marks=pytest.mark.nightly),
    ],
)
def test_the_page_fits_its_screen_with_readable_labels(
    browser: Any, language: str, tmp_path: Path, width: int, scheme: str
) -> None:
    (tmp_path / "page.html").write_text(campaign_page(made(), REPEAT), "utf-8")
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    page.goto((tmp_path / "page.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") == width
    labels = [
        (each.bounding_box(), each.evaluate("e => parseFloat(getComputedStyle(e).fontSize)"))
        for each in page.locator(".plot span").all()
        if each.is_visible()
    ]
    assert len(labels) > 20
    assert all(size >= 11 and box["x"] >= 0 and box["x"] + box["width"] <= width for box, size in labels)
    for plot in page.locator(".plot .moments").all():
        boxes = [each.bounding_box() for each in plot.locator("span").all() if each.is_visible()]
        assert all(one["x"] + one["width"] <= other["x"] for one, other in pairwise(boxes))
    context.close()
