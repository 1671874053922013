"""The sections of the item's page as models: each field with its label, its English label and its use."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from sscard.document import Model
from sscard.errors import InvalidValue
from sscard.i18n.phrase import ROW, Phrase, Words
from sscard.i18n.word import Word
from sscard.service.channels import Channel
from sscard.service.statements import (
    BASIS,
    CATALOGUE,
    DECIDED,
    EMPTY,
    NUMBERING,
    OFFICE,
    POWERS,
    displayed,
    enforced,
    told,
)
from sscard.service.words import OnlineStep, Paper

SEPARATOR: Final = "、"
YES: Final = "是"
NO_LIMIT: Final = "无"
_LIMIT: Final = re.compile("([1-9][0-9]{0,2}) ?个工作日")
_VISITS: Final = re.compile("([0-9]{1,2}) ?次")


def _form_of(pattern: re.Pattern[str], example: str) -> AfterValidator:
    def check(text: str) -> str:
        if not pattern.fullmatch(text):
            raise InvalidValue(
                Phrase("the service cannot apply {text!r}", text=text), Phrase("write {form}", form=example)
            )
        return text

    return AfterValidator(check)


def _words_of(words: tuple[str, ...]) -> Callable[[str], str]:
    """A check that every part of a list on the page is one of these words."""

    def check(text: str) -> str:
        unknown = [part for part in text.split(SEPARATOR) if part not in words]
        if unknown:
            raise InvalidValue(
                Phrase("the service knows no {text!r}", text=unknown[0]),
                Phrase("write one or more of: {words}", words=Phrase.joined(ROW, words)),
            )
        return text

    return check


def _chinese(words: type[Word]) -> tuple[str, ...]:
    return tuple(word.chinese for word in words)


def _only(word: str) -> AfterValidator:
    """A check for a statement that the service applies in one form only."""
    return AfterValidator(_words_of((word,)))


Limit = Annotated[str, _form_of(_LIMIT, "1 个工作日")]
Visits = Annotated[str, _form_of(_VISITS, "0 次")]
Forms = Annotated[str, AfterValidator(_words_of((Channel.WINDOW.chinese, Channel.ONLINE.chinese)))]
Depth = Annotated[str, AfterValidator(_words_of(("无", *_chinese(OnlineStep))))]
YesOrNo = Annotated[str, AfterValidator(_words_of((YES, "否")))]
MaterialName = Annotated[str, AfterValidator(_words_of(_chinese(Paper)))]


class Contact(Model):
    """One way to make an inquiry or complaint: method, platform (may be empty), address."""

    way: str = told(
        "方式",
        "method",
        Words("in the answer to an inquiry, in a refusal", "咨询答复、不予受理告知"),
        "notices:contacts_said",
        "11-service-window/complaints",
    )
    platform: str = told(
        "平台",
        "platform",
        Words("in a refusal", "不予受理告知"),
        "notices:contacts_said",
        "11-service-window/complaints",
        default="",
    )
    where: str = told(
        "内容",
        "address",
        Words("in the answer to an inquiry, in a refusal", "咨询答复、不予受理告知"),
        "notices:contacts_said",
        "11-service-window/complaints",
    )


class Basic(Model):
    """基本信息."""

    name: str = displayed("事项名称", "name of the item", CATALOGUE)
    type: str = displayed("事项类型", "type of the item", CATALOGUE)
    body: str = displayed("实施主体", "implementing body", OFFICE)
    case_type: str = displayed(
        "办件类型", "type of the case", Words("the promised limit decides", "以承诺办理时限为准")
    )
    legal_limit: Limit = enforced(
        "法定办理时限",
        "legal time limit",
        Words("not shorter than the promised one; marks overdue cases", "不短于承诺时限；标记超期办件"),
        "case:Case.is_past_legal",
        "11-service-window/legal-limit",
    )
    promised_limit: Limit = enforced(
        "承诺办理时限",
        "promised time limit",
        Words("the due day of a case, from its acceptance", "自受理起计算办结期限"),
        "pipeline:PinService.accept",
        "11-service-window/due",
    )
    power_source: str = displayed("权力来源", "source of the power", POWERS)
    level: str = displayed("行使层级", "level of the power", POWERS)
    special_steps: str = displayed("是否涉及特殊环节", "special procedures", POWERS)
    intermediaries: str = displayed("是否涉及中介服务", "intermediary services", POWERS)
    body_nature: str = displayed("实施主体性质", "nature of the implementing body", OFFICE)
    serves: str = enforced(
        "服务对象",
        "served persons",
        Words("a proxy is refused, unless the policy admits one", "代办人不予受理，政策许可的除外"),
        "conditions:CHECKS",
        "11-service-window/refusals/proxy",
    )
    online: str = displayed("是否网办", "done online", DECIDED)
    forms: Forms = enforced(
        "办理形式",
        "channels",
        Words("an application at another channel is refused", "其他渠道的申请不予受理"),
        "conditions:CHECKS",
        "13-service-online/not-offered",
    )
    online_depth: Depth = enforced(
        "网上办理深度",
        "online steps",
        Words("a step that is not named is not done online", "未列的步骤不在网上办理"),
        "conditions:CHECKS",
        "13-service-online/depth",
    )
    reach: str = displayed("通办范围", "scope of offices", DECIDED)
    quantity_limit: Annotated[str, _only(NO_LIMIT)] = enforced(
        "数量限制",
        "limit of the number",
        Words("none: a citizen may apply any number of times", "无：申请次数不限"),
        "page:Basic",
        "11-service-window/no-number-limit",
    )
    four_marks: str = displayed("四办标志", "marks of the portal", DECIDED)
    most_visits: Visits = told(
        "最多到现场办事次数",
        "most visits on site",
        Words("in the result notice, beside the visits of the case", "结果告知，与实际到场次数并列"),
        "notices:ResultNotice",
        "11-service-window/visits",
    )
    why_visit: str = displayed("必须到现场原因说明", "reason for a visit", EMPTY)
    by_post: str = displayed("是否支持物流快递", "delivery", Words("nothing is delivered", "无物品需要寄送"))
    online_payment: str = displayed("是否网上支付", "online payment", Words("nothing is paid", "无需支付"))
    content: str = displayed(
        "行使内容", "content", Words("the conditions name the same operations", "申请条件列有同样的操作")
    )
    division_of_powers: str = displayed("权限划分", "division of powers", EMPTY)


class Extended(Model):
    """扩展信息."""

    online_hall: str = displayed("入驻网上办事大厅方式", "way into the online hall", CATALOGUE)
    investment: str = displayed("是否投资事项", "investment item", CATALOGUE)
    appointment: str = displayed(
        "是否支持预约办理", "appointments", Words("the service makes no appointments", "服务不设预约")
    )
    in_hall: str = displayed("是否进驻政务实体大厅", "in the service hall", OFFICE)
    personal_topic: str = displayed("个人主题分类", "topic for persons", CATALOGUE)
    self_service: YesOrNo = enforced(
        "是否支持自助终端办理",
        "at self-service terminals",
        Words("an application at a terminal is refused if not", "否则自助终端的申请不予受理"),
        "item:Item.channels",
        "12-service-terminal/not-supported",
    )
    life_event: str = displayed("面向自然人的事件分类(人生事件)", "event of life", CATALOGUE)
    corporate_topic: str = displayed("法人主题分类", "topic for legal persons", CATALOGUE)
    corporate_objects: str = displayed("面向法人的特定对象分类", "objects of legal persons", CATALOGUE)
    personal_groups: str = displayed("面向自然人的特定人群分类", "groups of persons", CATALOGUE)
    corporate_activity: str = displayed("面向法人的经营活动分类", "business of legal persons", CATALOGUE)
    address: str = displayed("办理地址", "address", OFFICE)
    window: str = displayed("窗口描述", "description of the window", EMPTY)
    traffic: str = displayed("交通指引", "ways to get there", OFFICE)
    system: str = displayed("运行系统名称", "name of the system", OFFICE)
    map_position: str = displayed("地图坐标", "map position", EMPTY)
    enquiries: tuple[Contact, ...] = told(
        "办理系统咨询电话",
        "inquiries",
        Words("in the answer to an inquiry", "咨询答复"),
        "pipeline:PinService.consult",
        "11-service-window/consultation",
    )
    complaints: tuple[Contact, ...] = told(
        "监督投诉电话",
        "complaints",
        Words("in a refusal", "不予受理告知"),
        "notices:Refusal",
        "11-service-window/complaints",
    )


class Codes(Model):
    """编码信息."""

    body: str = enforced(
        "实施主体编码",
        "code of the implementing body",
        Words("its province is that of the cards", "其中的省决定受理哪些卡"),
        "item:Item.province",
        "11-service-window/refusals/card-of-another-province",
    )
    implementation: str = displayed("实施编码", "code of the item", CATALOGUE)
    local_implementation: str = displayed("地方实施编码", "local code of the item", CATALOGUE)
    business: str = displayed("业务办理项编码", "code of the business", CATALOGUE)


class Material(Model):
    """A row of 申请材料."""

    number: str = displayed("序号", "number", NUMBERING)
    name: MaterialName = enforced(
        "材料名称",
        "material",
        Words("a missing one is asked for", "缺少的一次性告知"),
        "conditions:missing_papers",
        "11-service-window/refusals/papers-missing",
    )
    type: Annotated[str, _only("原件")] = told(
        "材料类型",
        "form of the material",
        Words("in the supplement notice", "补正告知"),
        "notices:name_papers",
        "11-service-window/refusals/papers-missing",
    )
    basis: str = displayed("材料依据", "basis of the material", BASIS)
    criterion: str = enforced(
        "受理标准",
        "criterion of acceptance",
        Words("a paper that is false or expired is refused", "不真实或过期的材料不予受理"),
        "conditions:CHECKS",
        "11-service-window/refusals/expired-id",
    )
    source: str = displayed("来源渠道", "issued by", BASIS)


class Fees(Model):
    """收费信息."""

    project: str = displayed("收费项目名称", "name of the fee", EMPTY)
    standard: str = told(
        "收费标准",
        "rate of the fee",
        Words("in the result notice", "结果告知"),
        "notices:ResultNotice",
        "11-service-window/result-notice",
    )
    reducible: str = displayed("是否允许减免", "reductions", EMPTY)
    reduction_basis: str = displayed("允许减免依据", "basis of reductions", EMPTY)
    remark: str = displayed("备注", "remark", EMPTY)


class ItemStage(Model):
    """A stage (环节) of 办理流程."""

    name: str = enforced(
        "环节名称",
        "stage",
        Words("acceptance follows intake", "先收件，后受理"),
        "case:NEXT",
        "11-service-window/out-of-order",
    )
    handler: str = told(
        "办理人",
        "handled by",
        Words("in the journal and in case show", "办件日志和办件详情"),
        "pipeline:PinService.accept",
        "11-service-window/handlers",
    )
    limit: str = displayed(
        "办理时限", "time limit of the stage", Words("the promised limit decides", "以承诺办理时限为准")
    )
    criteria: str = enforced(
        "审查标准",
        "criteria of the stage",
        Words("all missing papers in one notice", "缺少的材料一次性告知"),
        "conditions:missing_papers",
        "11-service-window/refusals/papers-missing",
    )
    result: str = displayed("办理结果", "result of the stage", Words("the criteria state the same", "与审查标准一致"))


class Result(Model):
    """A row of 审批结果."""

    number: str = displayed("序列", "row", NUMBERING)
    name: str = displayed("结果名称", "result", EMPTY)
    sample: str = displayed("结果样本", "sample of the result", EMPTY)
    type: str = displayed("结果类型", "type of the result", EMPTY)
    collection: str = displayed("领取说明", "collection", Words("no document is issued", "不出具证照"))


class Question(Model):
    """A row of 常见问题."""

    question: str = told(
        "问题",
        "question",
        Words("in the answer to an inquiry", "咨询答复"),
        "pipeline:PinService.consult",
        "11-service-window/consultation",
    )
    answer: str = told(
        "解答",
        "answer",
        Words("in the answer to an inquiry; the first in the result notice", "咨询答复；第一条列入结果告知"),
        "notices:ResultNotice",
        "11-service-window/result-notice",
    )


class Note(Model):
    """A remark of this project on a field, in both languages; not part of the page."""

    field: str = Field(alias="字段")
    """One label or more, separated as on the page."""
    text: str = Field(alias="注")
    english: str = Field(alias="note")

    @property
    def words(self) -> Words:
        return Words(self.english, self.text)

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(self.field.split(SEPARATOR))
