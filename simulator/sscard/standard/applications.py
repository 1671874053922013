"""The applications below SSSE and their files (LD/T 32.6, card-files.md §1 and §6), in the order of personalisation.

Names of 1.0 end in ``_1``, those of 2.0 and 3.0 in ``_2``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from sscard.standard import items
from sscard.standard.tree import MF, DfSpec, FileSpec, Structure

AID_PREFIX: Final = "D15600000"
FINANCIAL_FID: Final = 0xDDF2
FINANCIAL_NAME: Final = b"1PAY.SYS.DDF01"

DF01: Final = 0xDF01
DF02: Final = 0xDF02
DF03: Final = 0xDF03
DF04: Final = 0xDF04
DF05: Final = 0xDF05
DF06: Final = 0xDF06
DF07: Final = 0xDF07

TRANSPARENT: Final = Structure.TRANSPARENT
VARIABLE: Final = Structure.VARIABLE
FIXED: Final = Structure.FIXED
CYCLIC: Final = Structure.CYCLIC

UNLISTED: Final = 0x80
"""Size in bytes of a variable file whose items the standard does not list: initially empty, records are appended."""


DFS_1: Final = (
    DfSpec(DF01, "DF01", "公共应用信息区", bytes.fromhex(AID_PREFIX + "500")),
    DfSpec(DF02, "DF02", "就业与失业信息区", bytes.fromhex(AID_PREFIX + "501")),
    DfSpec(DF03, "DF03", "社会保险信息区1", bytes.fromhex(AID_PREFIX + "502")),
    DfSpec(DF04, "DF04", "社会保险信息区2", bytes.fromhex(AID_PREFIX + "503")),
)
DFS_2: Final = (*DFS_1, DfSpec(DF07, "DF07", "人事人才信息区", bytes.fromhex(AID_PREFIX + "504")))
ANNEX_2: Final = tuple(
    DfSpec(fid, name, label, label.encode("gbk"))
    for fid, name, label in ((DF05, "DF05", "生命与健康信息区"), (DF06, "DF06", "救助与优抚信息区"))
)
"""DFs without AID: their label (应用标签, GBK, 16 bytes) is their name."""
FINANCIAL: Final = DfSpec(
    FINANCIAL_FID, "financial", "金融应用", FINANCIAL_NAME, ddf=True, financial=True, outside=True, parent=MF
)

_READ_DF01: Final = "PIN | RK1DF01"
_READ_DF02: Final = "PIN | RK1DF02"
_READ_DF03: Final = "PIN | RK1DF03"
_READ_DF04: Final = "PIN | RK1DF04"

_PUBLIC_1: Final = (
    FileSpec(DF01, 0x05, "residence register", "户籍", VARIABLE, "PIN", "UK1DF01", items.RESIDENCE_REGISTER),
    FileSpec(DF01, 0x06, "correspondence", "通讯信息", VARIABLE, "PIN", "UK4DF01", items.USUAL_RESIDENCE),
    FileSpec(DF01, 0x07, "status", "个人状况", FIXED, "PIN | UK2DF01", "UK2DF01", items.STATUS),
    FileSpec(DF01, 0x08, "marriage", "婚姻", VARIABLE, "PIN", "UK3DF01", items.MARRIAGE),
    FileSpec(DF01, 0x09, "employer", "就业单位", VARIABLE, "PIN | UK2DF01", "UK2DF01", items.EMPLOYER),
    FileSpec(DF01, 0x0A, "wages", "工资", FIXED, "PIN", "UK5DF01", items.WAGES),
)
_PUBLIC_2: Final = (
    FileSpec(DF01, 0x05, "residence register", "户籍", VARIABLE, _READ_DF01, "UK1DF01", items.RESIDENCE_REGISTER),
    FileSpec(DF01, 0x06, "usual residence", "常住地", VARIABLE, _READ_DF01, "UK4DF01", items.USUAL_RESIDENCE),
    FileSpec(DF01, 0x07, "status", "个人状况", VARIABLE, _READ_DF01, "UK2DF01", items.STATUS),
    FileSpec(DF01, 0x08, "marriage", "婚姻", VARIABLE, _READ_DF01, "UK3DF01", items.MARRIAGE),
    FileSpec(DF01, 0x09, "employer", "人员身份及就业单位", VARIABLE, _READ_DF01, "UK2DF01", items.EMPLOYER),
    FileSpec(DF01, 0x0A, "nationality and party", "国籍及政治面貌", VARIABLE, _READ_DF01, "UK5DF01", items.NATIONALITY),
    FileSpec(DF01, 0x15, "education", "学历", VARIABLE, _READ_DF01, "UK6DF01", items.EDUCATION),
    FileSpec(DF01, 0x16, "reserved 1", "预留1", TRANSPARENT, "free", "UK7DF01", size=0x128),
    FileSpec(DF01, 0x17, "reserved 2", "预留2", TRANSPARENT, "free", "UK8DF01", size=0x128),
    FileSpec(DF01, 0x18, "reserved 3", "预留3", TRANSPARENT, "free", "UK9DF01", size=0x128),
    FileSpec(DF01, 0x19, "reserved 4", "预留4", TRANSPARENT, "free", "UKADF01", size=0x128),
    FileSpec(DF01, 0x1A, "reserved 5", "预留5", TRANSPARENT, "free", "UKBDF01", size=0x128),
)
_RECORDS: Final = FileSpec(
    DF02, 0x07, "employment records", "就业记录", CYCLIC, _READ_DF02, "UK3DF02", items.EMPLOYMENT_RECORD, 4 * 0x55
)
_CERTIFICATE: Final = FileSpec(
    DF02, 0x09, "employment certificate", "就业失业登记证", VARIABLE, _READ_DF02, "UK4DF02", items.CERTIFICATE
)
_EMPLOYMENT_1: Final = (
    FileSpec(DF02, 0x05, "profession", "职业和专业技能", VARIABLE, "PIN | UK1DF02", "UK1DF02", items.PROFESSION),
    FileSpec(DF02, 0x06, "employment", "就业状况", VARIABLE, "PIN | UK2DF02", "UK2DF02", items.EMPLOYMENT_STATE),
    replace(_RECORDS, read_rule="PIN | UK3DF02"),
    replace(_CERTIFICATE, read_rule="PIN | UK4DF02"),
)
_EMPLOYMENT_2: Final = (
    FileSpec(DF02, 0x05, "profession", "职业和专业技能", VARIABLE, _READ_DF02, "UK1DF02", items.PROFESSION),
    FileSpec(DF02, 0x06, "employment", "就业状况", VARIABLE, _READ_DF02, "UK2DF02", items.EMPLOYMENT_STATE),
    _RECORDS,
    _CERTIFICATE,
    FileSpec(DF02, 0x15, "assistance", "就业援助", VARIABLE, _READ_DF02, "UK5DF02", items.ASSISTANCE),
    FileSpec(DF02, 0x16, "support policy", "扶持政策", CYCLIC, _READ_DF02, "UK6DF02", items.SUPPORT_POLICY, 4 * 0x12),
)
_RURAL: Final = "PIN & RK5DF03 | UK6DF03"
_INSURANCE_1: Final = (
    FileSpec(DF03, 0x05, "unemployment", "失业保险", VARIABLE, "PIN & RK2DF03", "UK1DF03", items.UNEMPLOYMENT),
    FileSpec(DF03, 0x06, "working capacity", "劳动能力鉴定", VARIABLE, "PIN", "UK2DF03", items.WORKING_CAPACITY),
    FileSpec(DF03, 0x07, "pension", "养老保险", VARIABLE, "PIN & RK1DF03", "UK3DF03", items.PENSION),
    FileSpec(DF03, 0x08, "injury insurance", "工伤保险", VARIABLE, "PIN & RK3DF03 | UK4DF03", "UK4DF03", items.INJURY),
    FileSpec(DF03, 0x09, "maternity", "生育保险", VARIABLE, "PIN & RK4DF03 | UK5DF03", "UK5DF03", items.MATERNITY),
    FileSpec(DF03, 0x0A, "rural pension", "农村养老保险", VARIABLE, _RURAL, "UK6DF03", size=UNLISTED),
)
_INSURANCE_2: Final = (
    FileSpec(DF03, 0x05, "unemployment", "失业保险", VARIABLE, "PIN | RK2DF03", "UK1DF03", items.UNEMPLOYMENT),
    FileSpec(DF03, 0x06, "working capacity", "劳动能力鉴定", VARIABLE, _READ_DF03, "UK2DF03", items.WORKING_CAPACITY),
    FileSpec(DF03, 0x07, "pension", "养老保险", VARIABLE, _READ_DF03, "UK3DF03", items.PENSION),
    FileSpec(DF03, 0x15, "injury insurance", "工伤保险", VARIABLE, _READ_DF03, "UK4DF03", items.INJURY),
    FileSpec(DF03, 0x16, "maternity", "生育保险", VARIABLE, _READ_DF03, "UK5DF03", items.MATERNITY),
    FileSpec(DF03, 0x17, "injury recognition", "工伤认定", VARIABLE, _READ_DF03, "UK6DF03", items.INJURY_RECOGNITION),
    FileSpec(DF03, 0x18, "dependants", "供养亲属", VARIABLE, _READ_DF03, "UK7DF03", items.DEPENDANTS),
    FileSpec(DF03, 0x19, "participation certificate", "参保凭证", FIXED, _READ_DF03, "UK8DF03", items.PARTICIPATION),
)
_DETAILS: Final = FileSpec(
    DF04, 0x08, "transaction details", "交易明细", CYCLIC, "PIN", "never", items.TRANSACTION, 30 * 0x1C
)
_MEDICAL_1: Final = (
    FileSpec(DF04, 0x05, "medical insurance", "医疗保险基本信息", VARIABLE, "PIN", "UK1DF04", items.MEDICAL),
    FileSpec(DF04, 0x06, "account", "个人账户", FIXED, "PIN & RK1DF04", "UK2DF04", items.ACCOUNT),
    _DETAILS,
    FileSpec(DF04, 0x09, "resident insurance", "城镇居民医保", VARIABLE, "PIN", "UK3DF04", size=UNLISTED),
)
_MEDICAL_2: Final = (
    FileSpec(DF04, 0x05, "medical insurance", "医疗保险基本信息", VARIABLE, _READ_DF04, "UK1DF04", items.MEDICAL),
    FileSpec(DF04, 0x06, "off-line", "临时脱网结算", VARIABLE, "PIN & RK1DF04", "UK2DF04", items.OFFLINE_SETTLEMENT),
    _DETAILS,
    FileSpec(DF04, 0x15, "special settlement", "特殊医疗结算", CYCLIC, _READ_DF04, "UK2DF04", items.SPECIAL, 8 * 0x03),
)
_PERSONNEL: Final = (
    FileSpec(DF07, 0x05, "honours", "荣誉", VARIABLE, "RK1DF07", "UK1DF07", items.HONOURS),
    FileSpec(DF07, 0x06, "experts", "专家", VARIABLE, "RK2DF07", "UK2DF07", items.EXPERTS),
    FileSpec(DF07, 0x07, "demobilised officers", "军转干部", VARIABLE, "RK3DF07", "UK3DF07", items.OFFICERS),
)

FILES_1: Final = (*_PUBLIC_1, *_EMPLOYMENT_1, *_INSURANCE_1, *_MEDICAL_1)
FILES_2: Final = (*_PUBLIC_2, *_EMPLOYMENT_2, *_INSURANCE_2, *_MEDICAL_2, *_PERSONNEL)
ANNEX_FILES_2: Final = (FileSpec(DF05, 0x05, "health", "生命与健康", VARIABLE, "free", "UK1DF05", size=UNLISTED),)
"""DF06 has only keys: the standard lists no files."""
