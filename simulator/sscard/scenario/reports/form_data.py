"""What a laboratory enters in the form of a test report: a YAML file of texts."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sscard.document import Model, read_document
from sscard.i18n.phrase import Phrase


class FormData(Model):
    """The fields of the head of a form; an empty one is a line to write on."""

    report: str = ""
    laboratory: str = ""
    accreditation: str = ""
    applicant: str = ""
    manufacturer: str = ""
    device: str = ""
    version: str = ""
    samples: str = ""
    received: str = ""
    place: str = ""
    operator: str = ""
    reviewer: str = ""
    approver: str = ""
    remarks: str = ""


FORM_LABELS: Final = {
    "report": Phrase("Report number"),
    "laboratory": Phrase("Laboratory"),
    "accreditation": Phrase("Accreditation number"),
    "applicant": Phrase("Applicant"),
    "manufacturer": Phrase("Manufacturer"),
    "device": Phrase("Device under test"),
    "version": Phrase("Version of the device"),
    "samples": Phrase("Samples: number and serial numbers"),
    "received": Phrase("Received on"),
    "place": Phrase("Place of the test"),
    "operator": Phrase("Tested by"),
    "reviewer": Phrase("Reviewed by"),
    "approver": Phrase("Approved by"),
    "remarks": Phrase("Remarks"),
}
"""The fields, and what the form calls them."""


def read_form(path: Path) -> FormData:
    """The fields of a file. Errors: ``InputError`` with its place."""
    return read_document(path).as_model(FormData)
