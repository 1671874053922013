"""The item as data: every value copied by hand from the service's page."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from sscard.cli.item import render_item
from sscard.document import Model
from sscard.i18n.language import say, speaking
from sscard.service import ApplicantKind, Channel, Item, Operation, Paper, Reason, load_item
from sscard.service.item import STATEMENTS

NAME = "社会保障卡密码修改与重置"
RULES = "《中华人民共和国社会保障卡管理办法》（人社部发[2011]47号）"

BASIC = {
    "事项名称": NAME,
    "事项类型": "公共服务",
    "实施主体": "西高皇街道办事处",
    "办件类型": "即办件",
    "法定办理时限": "1 个工作日",
    "承诺办理时限": "1 个工作日",
    "权力来源": "上级授权",
    "行使层级": "镇（乡、街道）级",
    "是否涉及特殊环节": "否",
    "是否涉及中介服务": "无",
    "实施主体性质": "受委托组织",
    "服务对象": "自然人",
    "是否网办": "否",
    "办理形式": "窗口办理、网上办理",
    "网上办理深度": "互联网咨询、互联网收件、互联网预审、互联网受理、互联网办理、互联网办理结果信息反馈",
    "通办范围": "全镇（乡、街道）级",
    "数量限制": "无",
    "四办标志": "马上办、网上办",
    "最多到现场办事次数": "0 次",
    "必须到现场原因说明": "无",
    "是否支持物流快递": "否",
    "是否网上支付": "无",
    "行使内容": NAME,
    "权限划分": "无",
}
EXTENDED = {
    "入驻网上办事大厅方式": "统一受理式",
    "是否投资事项": "否",
    "是否支持预约办理": "无",
    "是否进驻政务实体大厅": "是",
    "个人主题分类": "社会保障（社会保险、社会救助）",
    "是否支持自助终端办理": "是",
    "面向自然人的事件分类(人生事件)": "无",
    "法人主题分类": "无",
    "面向法人的特定对象分类": "无",
    "面向自然人的特定人群分类": "无",
    "面向法人的经营活动分类": "无",
    "办理地址": "平顶山市新华区（县）西高皇街道",
    "窗口描述": "无",
    "交通指引": "66/68/30/33/616 路到中央花园小区下车",
    "运行系统名称": "河南省政务服务平台统一受理系统",
    "地图坐标": "无",
}
EVALUATION = "http://was.hnzwfw.gov.cn/evaluation-web/userAuthent/getUserAuthent.do?flag="
ENQUIRIES = [("固话咨询", "", "0375-6182813"), ("网上咨询地址", "", f"{EVALUATION}3")]
COMPLAINTS = [
    ("固话投诉", "", "0375-2208399"),
    ("网上投诉地址", "河南省政务服务网上投诉平台", f"{EVALUATION}4"),
    ("网上投诉地址", "河南省信访局网上投诉平台", "http://wsxfdt.xfj.henan.gov.cn:8080/zfp/webroot/index.html"),
    ("网上投诉地址", "河南省纪委网上投诉平台", "http://henan.12388.g ov.cn/"),
    ("现场投诉", "", "undefined 市"),
]
CODES = {
    "实施主体编码": "11410402785096902M",
    "实施编码": "11410402785096902M5002014010006",
    "地方实施编码": "785096902GG002Y3001",
    "业务办理项编码": "11410402785096902M500201401000601",
}
CONDITIONS = (
    "一、在我省居住的中国公民，以及在我省就业或参保的港澳台居民、华侨和外国人。",
    "二、已办理过我省社会保障卡；",
    "三、因密码外泄需要修改，或因密码遗忘、社保卡锁定等需要重置。",
)
LEGAL_BASIS = (
    f"一、{RULES}第三条：人力资源社会保障部负责管理全国社会保障卡发行和应用工作。"
    "省、地市级人力资源社会保障部门负责管理本地区社会保障卡发行和应用工作，"
    "其所属的信息化综合管理机构具体承担社会保障卡发行和技术管理的有关事务。"
)
MATERIALS = [
    ("1", "中华人民共和国居民身份证", "原件", RULES, "材料真实有效", "公安机关"),
    ("2", "中华人民共和国社会保障卡", "原件", RULES, "材料真实有效", "人社部门核发"),
]
FEES = {"收费项目名称": "无", "收费标准": "无", "是否允许减免": "无", "允许减免依据": "无", "备注": "无"}
STAGES = [
    ("收件", "大厅制卡窗口", "即时", "接收申请材料", "收件"),
    (
        "受理",
        "大厅制卡窗口",
        "即时",
        "1、对申请材料进行初步审核。经审核，申请材料符合具体要求，应当决定予以受理；"
        "2、申请材料不齐全或者不符合法定形式的，应当一次性告知申请人需要补正的全部内容。",
        "材料齐全的及时受理重置社会保障卡密码修改与重置，材料提供不全的及时告知所需提供资料",
    ),
]
ADVICE = "办理过社会保障卡密码修改或重置后，申请人可以到就近的医院或药店测试密码，并修改初始密码，避免受到损失"
QUESTIONS = [
    ("修改社会保障卡密码后需要注意什么？", ADVICE),
    ("提供材料", "办事群众需提供有效的二代身份证和社会保障卡"),
]
SECTIONS = [
    "标题",
    "基本信息",
    "扩展信息",
    "编码信息",
    "申请条件",
    "设定依据",
    "申请材料",
    "收费信息",
    "办理流程",
    "审批结果",
    "常见问题",
    "编者注",
]


@pytest.fixture
def item() -> Item:
    return load_item()


def values(rows: tuple[Model, ...]) -> list[tuple[str, ...]]:
    return [tuple(row.model_dump().values()) for row in rows]


def test_the_sections_stand_as_on_the_page(item: Item) -> None:
    assert list(item.model_dump(by_alias=True)) == SECTIONS
    assert item.title == NAME


def test_basic_information_is_the_pages_contradictions_included(item: Item) -> None:
    assert item.basic.model_dump(by_alias=True) == BASIC


def test_extended_information_is_the_pages(item: Item) -> None:
    extended = item.extended.model_dump(by_alias=True)
    assert {label: text for label, text in extended.items() if isinstance(text, str)} == EXTENDED
    assert [label for label in extended if label not in EXTENDED] == ["办理系统咨询电话", "监督投诉电话"]
    assert values(item.extended.enquiries) == ENQUIRIES
    assert values(item.extended.complaints) == COMPLAINTS


def test_codes_are_the_pages_without_their_line_breaks(item: Item) -> None:
    assert item.codes.model_dump(by_alias=True) == CODES


def test_conditions_and_legal_basis_are_the_pages(item: Item) -> None:
    assert item.conditions == CONDITIONS
    assert item.legal_basis == LEGAL_BASIS


def test_tables_are_the_pages(item: Item) -> None:
    assert values(item.materials) == MATERIALS
    assert item.fees.model_dump(by_alias=True) == FEES
    assert values(item.stages) == STAGES
    assert values(item.results) == [("1", "无", "无", "无", "现场办结")]
    assert values(item.questions) == QUESTIONS


@pytest.mark.parametrize(
    ("rows", "labels"),
    [
        ("materials", "序号 材料名称 材料类型 材料依据 受理标准 来源渠道"),
        ("stages", "环节名称 办理人 办理时限 审查标准 办理结果"),
        ("results", "序列 结果名称 结果样本 结果类型 领取说明"),
        ("questions", "问题 解答"),
    ],
)
def test_tables_have_the_pages_labels(item: Item, rows: str, labels: str) -> None:
    assert list(getattr(item, rows)[0].model_dump(by_alias=True)) == labels.split()


def test_what_the_service_needs_is_read_off_the_item(item: Item) -> None:
    assert item.promised_working_days == 1
    assert item.province == "41"
    assert item.channels == {Channel.WINDOW, Channel.SELF_SERVICE, Channel.ONLINE}
    assert item.papers == (Paper.ID_CARD, Paper.SOCIAL_SECURITY_CARD)
    assert item.paper_criterion == "材料真实有效"
    assert item.acceptance.name == "受理"
    assert item.advice == ADVICE


def test_reasons_and_persons_are_the_conditions_own_words(item: Item) -> None:
    assert all(kind.chinese in item.conditions[0] for kind in ApplicantKind)
    added = {Reason.LOCKED_KNOWN, Operation.UNBLOCK}  # by a policy, open-choices.md §3.3
    assert all(word.chinese in item.conditions[2] for word in {*Reason, *Operation} - added)


@pytest.mark.parametrize("field", ["是否网办", "最多到现场办事次数", "监督投诉电话", "办理形式", "通办范围"])
def test_what_is_odd_on_the_page_has_a_note(item: Item, field: str) -> None:
    assert any(field in note.labels for note in item.notes)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("width", [80, 300])
def test_the_whole_item_is_shown_at_any_width(item: Item, width: int, language: str) -> None:
    with speaking(language):
        shown = render(item, width)
    assert not {char for char in said(item) if not char.isspace()} - set(shown)
    assert "…" not in shown


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_wide_screen_shows_every_value_and_note_in_one_piece(item: Item, language: str) -> None:
    with speaking(language):
        shown = render(item, 1000)
        notes = [say(note.words) for note in item.notes]
    page = item.model_dump(by_alias=True, exclude={"notes"})
    assert [text for text in (*leaves(page), *notes) if text not in shown] == []


UNLABELLED = ("标题", "方式", "平台")
"""Fields that are shown without their label: the title, and the parts of a contact."""


@pytest.mark.parametrize("language", ["en", "zh"])
def test_labels_are_in_the_language_and_in_english_beside_those_of_the_page(item: Item, language: str) -> None:
    with speaking(language):
        shown = render(item, 1000)
    for statement in STATEMENTS.values():
        assert statement.label.chinese in shown or statement.label.chinese in UNLABELLED
        assert (statement.label.english in shown) is (language == "en")
        assert (statement.how.chinese if language == "zh" else statement.how.english) in shown


def test_marks_show_what_is_done_with_a_field_and_that_it_has_a_note(item: Item) -> None:
    with speaking("zh"):
        lines = render(item, 300).splitlines()
    for label, mark in {
        "承诺办理时限": "●",
        "办理形式": "●※",
        "收费标准": "○",
        "是否网办": "※",
        "事项类型": "",
    }.items():
        assert any(line.strip().startswith(f"{mark}{label}") for line in lines), label


def render(item: Item, width: int) -> str:
    out = StringIO()
    render_item(Console(file=out, width=width), item)
    return out.getvalue()


def said(item: Item) -> str:
    return "".join(leaves(item.model_dump(by_alias=True, exclude={"notes"})))


def leaves(value: object) -> list[str]:
    if isinstance(value, dict):
        return [leaf for part in value.values() for leaf in leaves(part)]
    if isinstance(value, tuple):
        return [leaf for part in value for leaf in leaves(part)]
    return [str(value)]
