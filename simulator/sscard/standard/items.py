"""The data items of the applications' files, from card-files.md §6; lengths in hex as in that table.

One tuple per file, in the order of personalisation. Repeated items share their
tag. Items without a name in the standard have no name here.
"""

from __future__ import annotations

from typing import Final

from sscard.standard.tree import Item

# DF01 public (公共应用)

RESIDENCE_REGISTER: Final = (
    Item(0x20, "an", 0x02, "type of residence register", "户口类别"),
    Item(0x21, "an", 0x50, "registered address", "户口所在地地址"),
    Item(0x0E, "cn", 0x03, "district of registration", "户口所在地行政区划代码"),
)
USUAL_RESIDENCE: Final = (
    Item(0x23, "an", 0x50, "address", "常住所在地地址"),
    Item(0x24, "cn", 0x03, "district", "常住所在地行政区划代码"),
    Item(0x28, "an", 0x0F, "phone", "联系电话"),
    Item(0x2C, "an", 0x32, "contact", "联系人"),
    Item(0x2D, "an", 0x0F, "contact's phone", "联系人电话"),
)
STATUS: Final = (Item(0x29, "an", 0x01, "employment or retirement state", "个人状况"),)
MARRIAGE: Final = (Item(0x2B, "an", 0x01, "marital state", "婚姻状况"),)
EMPLOYER: Final = (
    Item(0x2E, "an", 0x46, "employer", "就业单位"),
    Item(0x30, "an", 0x09, "employer's organisation code", "组织机构代码"),
    Item(0x32, "an", 0x02, "category of person", "人员身份"),
)
NATIONALITY: Final = (Item(0x37, "an", 0x03), Item(0x38, "an", 0x02), Item(0x39, "cn", 0x04))
WAGES: Final = (Item(0x37, "cn", 0x04), Item(0x38, "cn", 0x04), Item(0x39, "cn", 0x04))
"""1.0: the file has fixed records and item 39 has kept its length, so all three have it (inferred)."""
_DEGREE: Final = (
    Item(0x57, "an", 0x03, "degree", "学位"),
    Item(0x58, "cn", 0x03, "subject", "专业"),
    Item(0x59, "an", 0x28, "school", "毕业院校"),
)
EDUCATION: Final = (Item(0x2A, "cn", 0x01, "education", "学历"),) + (
    Item(0x40, "tlv", 0x34, "degree, subject and school", "学位、专业和院校", _DEGREE),
) * 3

# DF02 employment (就业与失业)

_TITLE: Final = (
    Item(0x5A, "an", 0x07),
    Item(0x5B, "an", 0x01),
    Item(0x5C, "an", 0x46),
    Item(0x5D, "cn", 0x04),
    Item(0x5E, "an", 0x10),
)
_SKILL: Final = (Item(0x33, "an", 0x03), Item(0x34, "an", 0x46), Item(0x35, "cn", 0x04), Item(0x36, "an", 0x10))
PROFESSION: Final = (
    Item(0x42, "an", 0x03),
    Item(0x41, "an", 0x03),
    *(Item(0x43, "tlv", 0x6C, parts=_TITLE),) * 2,
    *(Item(0x44, "tlv", 0x65, parts=_SKILL),) * 2,
)
EMPLOYMENT_STATE: Final = (
    Item(0x4C, "cn", 0x04, "latest employment registration", "最近就业登记日期"),
    Item(0x4B, "an", 0x05, "type and form of employment", "就业类型和形式"),
    Item(0x4D, "cn", 0x03),
    # Exactly one of this file and DF03's EF05 has item 60; it is this one.
    Item(0x60, "cn", 0x04, "latest unemployment registration", "最近失业登记日期"),
    Item(0x4F, "an", 0x06),
    Item(0x50, "cn", 0x03),
    Item(0x3A, "an", 0x07),
)
EMPLOYMENT_RECORD: Final = (
    Item(0, "an", 0x07, "job", "职业"),
    Item(0, "cn", 0x04, "start", "起始日期"),
    Item(0, "cn", 0x04, "end", "终止日期"),
    Item(0, "an", 0x46, "employer", "就业单位"),
)
CERTIFICATE: Final = (
    Item(0x55, "an", 0x10, "certificate number", "就业失业登记证编号"),
    Item(0x56, "an", 0x46, "issuer of the certificate", "发证机构"),
    Item(0x96, "cn", 0x04),
    Item(0x97, "cn", 0x03),
)
_ASSISTED: Final = (Item(0x10, "an", 0x03), Item(0x11, "cn", 0x04), Item(0x12, "cn", 0x03))
ASSISTANCE: Final = (
    *(Item(0x99, "tlv", 0x10, "assistance", "就业援助", _ASSISTED),) * 4,
    Item(0x0F, "cn", 0x04),
    Item(0x1F, "cn", 0x03),
)
SUPPORT_POLICY: Final = (
    Item(0, "an", 0x03),
    Item(0, "cn", 0x04, "approval", "批准日期"),
    Item(0, "cn", 0x04, "start", "起始日期"),
    Item(0, "cn", 0x04, "end", "终止日期"),
    Item(0, "cn", 0x03),
)

# DF03 social insurance 1 (社会保险1)

UNEMPLOYMENT: Final = (
    Item(0x61, "cn", 0x03),
    Item(0x98, "cn", 0x04),
    Item(0x62, "cn", 0x04),
    Item(0x63, "an", 0x03),
    Item(0x64, "an", 0x03),
    Item(0x65, "an", 0x03),
    Item(0x66, "an", 0x03),
)
_REVIEW: Final = (
    Item(0x13, "an", 0x02),
    Item(0x14, "an", 0x01),
    Item(0x15, "an", 0x14),
    Item(0x16, "cn", 0x04),
    Item(0x17, "an", 0x3C),
)
WORKING_CAPACITY: Final = (
    Item(0x45, "an", 0x14),
    Item(0x46, "an", 0x02),
    Item(0x47, "an", 0x02),
    Item(0x48, "an", 0x01),
    Item(0x49, "an", 0x01),
    Item(0x67, "cn", 0x04),
    Item(0x6B, "an", 0x3C),
    *(Item(0x4A, "tlv", 0x61, parts=_REVIEW),) * 3,
)
PENSION: Final = (
    Item(0x70, "an", 0x03),
    Item(0x71, "cn", 0x03),
    Item(0x6E, "cn", 0x04),
    Item(0x6C, "cn", 0x04),
    Item(0x6F, "cn", 0x04),
    Item(0x73, "cn", 0x04),
)
INJURY: Final = (Item(0x7A, "cn", 0x03), Item(0x7B, "cn", 0x04), Item(0x7C, "cn", 0x04))
MATERNITY: Final = (Item(0x51, "cn", 0x03), Item(0x5F, "an", 0x01))
INJURY_RECOGNITION: Final = (
    Item(0x3B, "an", 0x14),
    Item(0x3C, "an", 0x46),
    Item(0x3D, "an", 0x01),
    Item(0x3E, "cn", 0x04),
    Item(0x3F, "an", 0x3C),
)
DEPENDANTS: Final = (
    Item(0x74, "an", 0x03),
    Item(0x75, "cn", 0x03),
    Item(0x76, "cn", 0x01),
    Item(0x77, "cn", 0x04),
    Item(0x78, "cn", 0x04),
)
_INSURANCE: Final = (
    Item(0x18, "an", 0x03),
    Item(0x19, "cn", 0x03),
    Item(0x1A, "cn", 0x04),
    Item(0x1B, "cn", 0x04),
    Item(0x1C, "cn", 0x04),
    Item(0x1D, "an", 0x03),
    Item(0x1E, "cn", 0x04),
)
PARTICIPATION: Final = (
    Item(0x79, "tlv", 0x27, "pension insurance", "养老保险参保凭证", _INSURANCE),
    Item(0x79, "tlv", 0x27, "medical insurance", "医疗保险参保凭证", _INSURANCE),
    Item(0x79, "tlv", 0x27, "unemployment insurance", "失业保险参保凭证", _INSURANCE),
    Item(0x79, "tlv", 0x27, "reserved", "预留", _INSURANCE),
)

# DF04 social insurance 2, medical (社会保险2)

MEDICAL: Final = (
    Item(0x81, "an", 0x08),
    Item(0x84, "cn", 0x03, "insured district", "参保地行政区划代码"),
    Item(0x87, "an", 0x11),
    Item(0x8C, "cn", 0x01),
    Item(0x80, "cn", 0x04),
    Item(0x8B, "an", 0x1D),
    Item(0x8A, "an", 0x0F),
    Item(0x83, "an", 0x09, "hospital 1", "定点医疗机构1"),
    Item(0x86, "an", 0x09, "hospital 2", "定点医疗机构2"),
    Item(0x89, "an", 0x09, "hospital 3", "定点医疗机构3"),
    Item(0x7D, "an", 0x09, "injury hospital 1", "工伤定点医疗机构1"),
    Item(0x7E, "an", 0x09, "injury hospital 2", "工伤定点医疗机构2"),
    Item(0x7F, "an", 0x09, "injury hospital 3", "工伤定点医疗机构3"),
    Item(0x8D, "an", 0x09, "maternity hospital 1", "生育定点医疗机构1"),
    Item(0x8E, "an", 0x09, "maternity hospital 2", "生育定点医疗机构2"),
    Item(0x8F, "an", 0x01, "card mode", "用卡方式"),
)
OFFLINE_SETTLEMENT: Final = (
    Item(0x90, "an", 0x01, "allowed", "脱网结算标识"),
    Item(0x92, "cn", 0x04, "amount", "脱网结算金额"),
    Item(0x93, "an", 0x02, "count", "脱网结算次数"),
)
ACCOUNT: Final = (Item(0x90, "cn", 0x04), Item(0x92, "cn", 0x04), Item(0x93, "cn", 0x04))
"""1.0: the file has fixed records and item 92 has kept its length, so all three have it (inferred)."""
TRANSACTION: Final = (
    Item(0, "b", 0x02, "sequence number", "交易序号"),
    Item(0, "an", 0x01, "type", "交易类型"),
    Item(0, "cn", 0x06, "terminal", "终端机编号"),
    Item(0, "cn", 0x07, "time", "交易时间"),
    Item(0, "b", 0x04, "account amount", "个人账户金额"),
    Item(0, "b", 0x04, "self-paid amount", "个人自付金额"),
    Item(0, "b", 0x04, "pool fund amount", "统筹基金金额"),
)
SPECIAL: Final = (
    Item(0, "b", 0x02, "sequence number", "交易序号"),
    Item(0, "an", 0x01, "kind", "特殊医疗类别"),
)

# DF07 personnel (人事与人才)

HONOURS: Final = (
    Item(0xF0, "an", 0x02),
    Item(0xF1, "an", 0x01),
    Item(0xF2, "cn", 0x04),
    Item(0xF3, "an", 0x03),
    Item(0xF4, "cn", 0x04),
)
EXPERTS: Final = (Item(0xF5, "an", 0x03), Item(0xF6, "cn", 0x04), Item(0xF7, "an", 0x46))
OFFICERS: Final = (Item(0xF8, "cn", 0x04), Item(0xF9, "an", 0x01))
