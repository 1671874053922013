"""The service item (事项): every field of its official page, with label and text in Chinese."""

from __future__ import annotations

from functools import cache
from importlib import resources

from pydantic import Field

from sscard.document import Model, parse_document
from sscard.service.channels import Channel
from sscard.service.words import Paper

FILE = "item.yaml"
PAPERS = {paper.chinese: paper for paper in Paper}
PROVINCE_IN_CODE = slice(2, 4)
"""Position of the province in the implementing body's code (统一社会信用代码)."""


class Contact(Model):
    """One way to make an inquiry or complaint: method, platform (may be empty), address."""

    way: str = Field(alias="方式")
    platform: str = Field("", alias="平台")
    where: str = Field(alias="内容")


class Basic(Model):
    """基本信息."""

    name: str = Field(alias="事项名称")
    type: str = Field(alias="事项类型")
    body: str = Field(alias="实施主体")
    case_type: str = Field(alias="办件类型")
    legal_limit: str = Field(alias="法定办理时限")
    promised_limit: str = Field(alias="承诺办理时限")
    power_source: str = Field(alias="权力来源")
    level: str = Field(alias="行使层级")
    special_steps: str = Field(alias="是否涉及特殊环节")
    intermediaries: str = Field(alias="是否涉及中介服务")
    body_nature: str = Field(alias="实施主体性质")
    serves: str = Field(alias="服务对象")
    online: str = Field(alias="是否网办")
    forms: str = Field(alias="办理形式")
    online_depth: str = Field(alias="网上办理深度")
    reach: str = Field(alias="通办范围")
    quantity_limit: str = Field(alias="数量限制")
    four_marks: str = Field(alias="四办标志")
    most_visits: str = Field(alias="最多到现场办事次数")
    why_visit: str = Field(alias="必须到现场原因说明")
    by_post: str = Field(alias="是否支持物流快递")
    online_payment: str = Field(alias="是否网上支付")
    content: str = Field(alias="行使内容")
    division_of_powers: str = Field(alias="权限划分")


class Extended(Model):
    """扩展信息."""

    online_hall: str = Field(alias="入驻网上办事大厅方式")
    investment: str = Field(alias="是否投资事项")
    appointment: str = Field(alias="是否支持预约办理")
    in_hall: str = Field(alias="是否进驻政务实体大厅")
    personal_topic: str = Field(alias="个人主题分类")
    self_service: str = Field(alias="是否支持自助终端办理")
    life_event: str = Field(alias="面向自然人的事件分类(人生事件)")
    corporate_topic: str = Field(alias="法人主题分类")
    corporate_objects: str = Field(alias="面向法人的特定对象分类")
    personal_groups: str = Field(alias="面向自然人的特定人群分类")
    corporate_activity: str = Field(alias="面向法人的经营活动分类")
    address: str = Field(alias="办理地址")
    window: str = Field(alias="窗口描述")
    traffic: str = Field(alias="交通指引")
    system: str = Field(alias="运行系统名称")
    map_position: str = Field(alias="地图坐标")
    enquiries: tuple[Contact, ...] = Field(alias="办理系统咨询电话")
    complaints: tuple[Contact, ...] = Field(alias="监督投诉电话")


class Codes(Model):
    """编码信息."""

    body: str = Field(alias="实施主体编码")
    implementation: str = Field(alias="实施编码")
    local_implementation: str = Field(alias="地方实施编码")
    business: str = Field(alias="业务办理项编码")


class Material(Model):
    """A row of 申请材料."""

    number: str = Field(alias="序号")
    name: str = Field(alias="材料名称")
    type: str = Field(alias="材料类型")
    basis: str = Field(alias="材料依据")
    criterion: str = Field(alias="受理标准")
    source: str = Field(alias="来源渠道")


class Fees(Model):
    """收费信息."""

    project: str = Field(alias="收费项目名称")
    standard: str = Field(alias="收费标准")
    reducible: str = Field(alias="是否允许减免")
    reduction_basis: str = Field(alias="允许减免依据")
    remark: str = Field(alias="备注")


class ItemStage(Model):
    """A stage (环节) of 办理流程."""

    name: str = Field(alias="环节名称")
    handler: str = Field(alias="办理人")
    limit: str = Field(alias="办理时限")
    criteria: str = Field(alias="审查标准")
    result: str = Field(alias="办理结果")


class Result(Model):
    """A row of 审批结果."""

    number: str = Field(alias="序列")
    name: str = Field(alias="结果名称")
    sample: str = Field(alias="结果样本")
    type: str = Field(alias="结果类型")
    collection: str = Field(alias="领取说明")


class Question(Model):
    """A row of 常见问题."""

    question: str = Field(alias="问题")
    answer: str = Field(alias="解答")


class Note(Model):
    """A remark of this project on a field; not part of the page."""

    field: str = Field(alias="字段")
    text: str = Field(alias="注")


class Item(Model):
    """The complete item. A field's ``alias`` is its label on the page."""

    title: str = Field(alias="标题")
    basic: Basic = Field(alias="基本信息")
    extended: Extended = Field(alias="扩展信息")
    codes: Codes = Field(alias="编码信息")
    conditions: tuple[str, ...] = Field(alias="申请条件", min_length=3, max_length=3)
    legal_basis: str = Field(alias="设定依据")
    materials: tuple[Material, ...] = Field(alias="申请材料", min_length=1)
    fees: Fees = Field(alias="收费信息")
    stages: tuple[ItemStage, ...] = Field(alias="办理流程", min_length=2)
    results: tuple[Result, ...] = Field(alias="审批结果")
    questions: tuple[Question, ...] = Field(alias="常见问题", min_length=1)
    notes: tuple[Note, ...] = Field(alias="编者注")

    @property
    def papers(self) -> tuple[Paper, ...]:
        """The materials as papers, in the item's order."""
        return tuple(PAPERS[material.name] for material in self.materials)

    @property
    def channels(self) -> frozenset[Channel]:
        """办理形式, and the self-service terminal where the item supports it."""
        offered = set(self.basic.forms.split("、"))
        if self.extended.self_service == "是":
            offered.add(Channel.SELF_SERVICE.chinese)
        return frozenset(channel for channel in Channel if channel.chinese in offered)

    @property
    def promised_working_days(self) -> int:
        """承诺办理时限 in working days."""
        return int(self.basic.promised_limit.split()[0])

    @property
    def province(self) -> str:
        """Two digits of GB/T 2260, from the implementing body's code."""
        return self.codes.body[PROVINCE_IN_CODE]

    @property
    def paper_criterion(self) -> str:
        """受理标准: the requirements on every paper."""
        return self.materials[0].criterion

    @property
    def acceptance(self) -> ItemStage:
        """The stage 受理, whose criteria rule acceptance and the supplement notice."""
        return self.stages[1]

    @property
    def advice(self) -> str:
        """The advice for a citizen after the PIN was changed or reset."""
        return self.questions[0].answer


@cache
def load_item() -> Item:
    """The item that comes with sscard."""
    text = (resources.files("sscard.service") / FILE).read_text(encoding="utf-8")
    return parse_document(text, FILE).as_model(Item)
