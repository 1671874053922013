"""What the service does with each statement of the item: its declaration, its rule, and the cells of the page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from sscard.errors import InputError
from sscard.scenario.library import builtin_folder, find_scenarios
from sscard.service.item import STATEMENTS, Item, builtin_item_text, load_item
from sscard.service.page import Contact, Note
from sscard.service.statements import Statement, Use

HAN = re.compile("[\u4e00-\u9fff]")

# The cells of the page's tables as they stand in its text: a break within a cell is a space.
CELLS = """\
事项名称	社会保障卡密码修改 与重置	事项类型	公共服务
实施主体	西高皇街道办事处	办件类型	即办件
法定办理时限	1 个工作日	承诺办理时限	1 个工作日
权力来源	上级授权	行使层级	镇（乡、街道）级
是否涉及特殊 环节	否	是否涉及中介服务	无
实施主体性质	受委托组织	服务对象	自然人
是否网办	否	办理形式	窗口办理、网上办理
网上办理深度	互联网咨询、互联网 收件、互联网预审、 互联网受理、互联网 办理、互联网办理结 果信息反馈	通办范围	全镇（乡、街道）级
数量限制	无	四办标志	马上办、网上办
最多到现场办 事次数	0 次	必须到现场原因说 明	无
是否支持物流 快递	否	是否网上支付	无
行使内容	社会保障卡密码修改 与重置	权限划分	无
入驻网上办事 大厅方式	统一受理式	是否投资事项	否
是否支持预约 办理	无	是否进驻政务实 体大厅	是
个人主题分类	社会保障（社会保险、社 会救助）	是否支持自助终 端办理	是
面向自然人的 事件分类(人 生事件)	无	法人主题分类	无
面向法人的特 定对象分类	无	面向自然人的特 定人群分类	无
面向法人的经 营活动分类	无	办理地址	平顶山市新华区（县） 西高皇街道
窗口描述	无	交通指引	66/68/30/33/616 路 到中央花园小区下车
运行系统名称	河南省政务服务平台统一 受理系统	地图坐标	无
实施主体编码	1141040278509690 2M	实施编码	11410402785096902 M5002014010006
地方实施编码	785096902GG002Y 3001	业务办理项编码	11410402785096902 M500201401000601
材料名称	中华人民共和国 居民身份证	材料类型	原件
材料依据	《中华人民共和国 社会保障卡管理办 法》（人社部发 [2011]47号）	受理标准	材料真实有 效
来源渠道	公安机关	收费项目名称	无
收费标准	无	是否允许减免	无
允许减免依据	无	备注	无
"""  # noqa: E501


def cells() -> Iterator[tuple[str, str]]:
    for line in CELLS.splitlines():
        row = line.split("\t")
        yield from zip(row[::2], row[1::2], strict=True)


def texts(page: Any) -> dict[str, str]:
    """The first text under each label."""
    if isinstance(page, list):
        return {label: text for part in reversed(page) for label, text in texts(part).items()}
    if not isinstance(page, dict):
        return {}
    inner = {label: text for part in page.values() for label, text in texts(part).items()}
    return inner | {label: text for label, text in page.items() if isinstance(text, str)}


def joined(text: str) -> str:
    return re.sub(r"\s", "", text)


def labels_of(model: type[BaseModel]) -> Iterator[str]:
    """The label of each field that states something; the fields of a contact state it as one."""
    for field in model.model_fields.values():
        parts = [part for part in (field.annotation, *get_args(field.annotation)) if isinstance(part, type)]
        inner = [part for part in parts if issubclass(part, BaseModel) and part is not Contact]
        if not inner:
            yield str(field.alias)
        elif inner[0] is not Note:
            yield from labels_of(inner[0])


def test_every_field_of_the_page_is_classified_and_nothing_else() -> None:
    labels = list(labels_of(Item))
    assert len(labels) > 70
    assert {*labels, "方式", "平台", "内容"} == set(STATEMENTS)


@pytest.mark.parametrize("statement", STATEMENTS.values(), ids=lambda statement: statement.label.chinese)
def test_a_statement_has_an_english_label_and_says_what_is_done(statement: Statement) -> None:
    assert not HAN.search(statement.label.english + statement.how.english)
    assert statement.how.english
    assert HAN.search(statement.how.chinese)


APPLIED = [statement for statement in STATEMENTS.values() if statement.use is not Use.DISPLAY]


@pytest.mark.parametrize("statement", APPLIED, ids=lambda statement: statement.label.chinese)
def test_what_is_applied_names_its_code_and_a_scenario_that_proves_it(statement: Statement) -> None:
    module, _, name = statement.by.partition(":")
    target: Any = import_module(f"sscard.service.{module}")
    for part in name.split("."):
        target = getattr(target, part)
    scenario = find_scenarios([builtin_folder() / f"{statement.proof}.yaml"])[0]
    assert any(str(mark).startswith("seed") for mark in scenario.covers)


def test_what_is_for_display_only_names_no_code() -> None:
    displayed = [statement for statement in STATEMENTS.values() if statement.use is Use.DISPLAY]
    assert [(one.by, one.proof) for one in displayed] == [("", "")] * len(displayed)


def test_every_cell_is_the_pages_and_a_joined_one_has_a_note() -> None:
    item = load_item()
    page = texts(item.model_dump(mode="json", by_alias=True))
    broken = {joined(label) for label, text in cells() if joined(label) != label or page[joined(label)] != text}
    assert {joined(label): joined(text) for label, text in cells()} == {
        joined(label): joined(page[joined(label)]) for label, _ in cells()
    }
    notes = {label for note in item.notes if "已接上" in note.text for label in note.labels}
    assert broken <= notes
    assert notes - broken == {"监督投诉电话"}  # a list on the page, which a page break divides


def test_each_note_is_in_both_languages() -> None:
    for note in load_item().notes:
        assert HAN.search(note.text)
        assert len(note.english.split()) > 3
        assert set(note.labels) <= {*STATEMENTS, *(str(field.alias) for field in Item.model_fields.values())}


UNKNOWN = [
    ("承诺办理时限: 1 个工作日", "承诺办理时限: 2 个工作日", "longer than the legal one"),
    ("法定办理时限: 1 个工作日", "法定办理时限: 尽快", "the service cannot apply '尽快'"),
    ("最多到现场办事次数: 0 次", "最多到现场办事次数: 若干", "the service cannot apply '若干'"),
    ("办理形式: 窗口办理、网上办理", "办理形式: 窗口办理、电话办理", "the service knows no '电话办理'"),
    ("网上办理深度: 互联网咨询、", "网上办理深度: 互联网闲聊、", "the service knows no '互联网闲聊'"),
    ("数量限制: 无", "数量限制: 每日一件", "the service knows no '每日一件'"),
    ("材料名称: 中华人民共和国居民身份证", "材料名称: 护照", "the service knows no '护照'"),
    ("环节名称: 收件", "环节名称: 登记", "does not begin with intake and acceptance"),
    ("是否支持自助终端办理: 是", "是否支持自助终端办理: 无", "the service knows no '无'"),
]


@pytest.mark.parametrize(("text", "other", "problem"), UNKNOWN, ids=[row[1] for row in UNKNOWN])
def test_an_item_that_the_service_cannot_apply_is_refused(tmp_path: Path, text: str, other: str, problem: str) -> None:
    changed = builtin_item_text().replace(text, other, 1)
    assert changed != builtin_item_text()
    file = tmp_path / "item.yaml"
    file.write_text(changed, encoding="utf-8")
    with pytest.raises(InputError, match=problem):
        load_item(file)


def test_an_item_file_is_the_item(tmp_path: Path) -> None:
    file = tmp_path / "item.yaml"
    file.write_text(builtin_item_text(), encoding="utf-8")
    assert load_item(file) == load_item()
