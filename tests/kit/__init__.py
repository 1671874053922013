"""What the tests share; the cards and the desk, which most of them use, can be had from here.

``cards``            cards of the test issuer and their PIN, holder and key numbers
``desk``             raw APDUs to a card, with proofs and MACs by its keys
``counter``          a driver with card, reader, PIN pad, PSAM and card-holder base
``native``           the C library of the driver: compiler, programs, servers
``citizens``         citizens with cards at the service, its clock and journal key
``applications``     applications at the service in tens of thousands
``decision_table``   what the item says of each application
``holderbases``      a holder base that gives no answer, and one behind a service
``programs``         sscard in this process and in one of its own
``late``             a card file that gets its changes too late
``waiting``          waiting for a condition, work in a thread
``shared``           what one worker makes for all of them
``documents``        the Markdown files, and a reader who types their commands
``vpcd_driver``      the reader's end of the vpcd wire, and a card that echoes
``pcsc``             what a test with PC/SC needs on this machine
``fake_scard``       pyscard with one reader, whose answers a test chooses
``command_sheet``    the status words of each command, from the sheet
``file_sheet``       files, rights and keys, from the sheet
"""

from kit.cards import (
    BK,
    HOLDER,
    NAME,
    NAMES,
    ORIGINAL,
    PERSONALITIES,
    PIN,
    PUK,
    RKSSSE,
    UKSSSE,
    card_of,
    crash,
    fresh_chip,
    image_of,
    on_disk,
    order_of,
    scripted,
    span,
    vector_card,
)
from kit.desk import Desk, change, verify

__all__ = [
    "BK",
    "HOLDER",
    "NAME",
    "NAMES",
    "ORIGINAL",
    "PERSONALITIES",
    "PIN",
    "PUK",
    "RKSSSE",
    "UKSSSE",
    "Desk",
    "card_of",
    "change",
    "crash",
    "fresh_chip",
    "image_of",
    "on_disk",
    "order_of",
    "scripted",
    "span",
    "vector_card",
    "verify",
]
