"""The service item (事项): every field of its official page, with label and text in Chinese."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Final

from pydantic import model_validator

from sscard.document import Model, parse_document, read_document
from sscard.errors import InvalidValue
from sscard.i18n.phrase import ROW, Phrase, Words
from sscard.service.channels import CHANNEL_RULES, Channel
from sscard.service.page import (
    SEPARATOR,
    YES,
    Basic,
    Codes,
    Extended,
    Fees,
    ItemStage,
    Material,
    Note,
    Question,
    Result,
)
from sscard.service.statements import BASIS, CATALOGUE, displayed, enforced, section, statements_of
from sscard.service.words import OnlineStep, Paper

FILE = "item.yaml"
PAPERS = {paper.chinese: paper for paper in Paper}
FIRST_STAGES: Final = ("收件", "受理")
PROVINCE_IN_CODE = slice(2, 4)
"""Position of the province in the implementing body's code (统一社会信用代码)."""


class Item(Model):
    """The complete item. A field's ``alias`` is its label on the page, ``title`` the English label."""

    title: str = displayed("标题", "title", CATALOGUE)
    basic: Basic = section("基本信息", "Basic information")
    extended: Extended = section("扩展信息", "Further information")
    codes: Codes = section("编码信息", "Codes")
    conditions: tuple[str, ...] = enforced(
        "申请条件",
        "Conditions",
        Words("the grounds of refusal person, card and reason", "不予受理的事由：申请人、卡、事由"),
        "conditions:CHECKS",
        "11-service-window/refusals/all-grounds",
        min_length=3,
        max_length=3,
    )
    legal_basis: str = displayed("设定依据", "Legal basis", BASIS)
    materials: tuple[Material, ...] = section("申请材料", "Materials", min_length=1)
    fees: Fees = section("收费信息", "Fees")
    stages: tuple[ItemStage, ...] = section("办理流程", "Procedure", min_length=2)
    results: tuple[Result, ...] = section("审批结果", "Results")
    questions: tuple[Question, ...] = section("常见问题", "Questions", min_length=1)
    notes: tuple[Note, ...] = section("编者注", "Editor's notes")

    @model_validator(mode="after")
    def _promises_no_more_than_the_law_allows(self) -> Item:
        if self.promised_working_days > self.legal_working_days:
            raise InvalidValue(
                Phrase(
                    "the promised limit ({promised}) is longer than the legal one ({legal})",
                    promised=self.basic.promised_limit,
                    legal=self.basic.legal_limit,
                ),
                Phrase("promise at most the legal limit"),
            )
        return self

    @model_validator(mode="after")
    def _begins_with_intake_and_acceptance(self) -> Item:
        if tuple(stage.name for stage in self.stages[: len(FIRST_STAGES)]) != FIRST_STAGES:
            raise InvalidValue(
                Phrase("the procedure does not begin with intake and acceptance"),
                Phrase("write these stages first: {words}", words=Phrase.joined(ROW, FIRST_STAGES)),
            )
        return self

    @property
    def papers(self) -> tuple[Paper, ...]:
        """The materials as papers, in the item's order."""
        return tuple(PAPERS[material.name] for material in self.materials)

    @property
    def channels(self) -> frozenset[Channel]:
        """办理形式, and the self-service terminal where the item supports it."""
        offered = set(self.basic.forms.split(SEPARATOR))
        if self.extended.self_service == YES:
            offered.add(Channel.SELF_SERVICE.chinese)
        return frozenset(channel for channel in Channel if channel.chinese in offered)

    @property
    def online_steps(self) -> frozenset[OnlineStep]:
        """网上办理深度: the steps that are done online."""
        offered = self.basic.online_depth.split(SEPARATOR)
        return frozenset(step for step in OnlineStep if step.chinese in offered)

    @property
    def promised_working_days(self) -> int:
        """承诺办理时限 in working days."""
        return _first_number(self.basic.promised_limit)

    @property
    def legal_working_days(self) -> int:
        """法定办理时限 in working days."""
        return _first_number(self.basic.legal_limit)

    @property
    def most_visits(self) -> int:
        """最多到现场办事次数."""
        return _first_number(self.basic.most_visits)

    @property
    def province(self) -> str:
        """Two digits of GB/T 2260, from the implementing body's code."""
        return self.codes.body[PROVINCE_IN_CODE]

    @property
    def paper_criterion(self) -> str:
        """受理标准: the requirements on every paper."""
        return self.materials[0].criterion

    @property
    def intake(self) -> ItemStage:
        """The stage 收件."""
        return self.stages[0]

    @property
    def acceptance(self) -> ItemStage:
        """The stage 受理, whose criteria rule acceptance and the supplement notice."""
        return self.stages[1]

    def handler(self, stage: ItemStage, channel: Channel) -> Words:
        """办理人: at the window the one whom the page names for the stage, elsewhere the channel's actor."""
        return Words(stage.handler, stage.handler) if channel is Channel.WINDOW else CHANNEL_RULES[channel].actor

    def examiner(self, channel: Channel, handling: Channel) -> Words:
        """办理人 of the acceptance: that of the channel that operates the card if the item is not accepted online."""
        elsewhere = channel is Channel.ONLINE and OnlineStep.ACCEPTANCE not in self.online_steps
        return self.handler(self.acceptance, handling if elsewhere else channel)

    @property
    def advice(self) -> str:
        """The advice for a citizen after the PIN was changed or reset."""
        return self.questions[0].answer


STATEMENTS: Final = {statement.label.chinese: statement for statement in statements_of(Item)}
"""What the service does with each statement of the page, by its label."""


def _first_number(text: str) -> int:
    return int("".join(re.findall("^[0-9]+", text)))


def load_item(path: Path | None = None) -> Item:
    """An item from its file, or the item that comes with sscard."""
    return read_document(path).as_model(Item) if path else _builtin()


def builtin_item_text() -> str:
    """The file of the item that comes with sscard."""
    return (resources.files("sscard.service") / FILE).read_text(encoding="utf-8")


@cache
def _builtin() -> Item:
    return parse_document(builtin_item_text(), FILE).as_model(Item)
