"""A social security card inside the VirtualICC of the virtualsmartcard package, in place of its own card.

::

    sudo apt-get install pcscd vsmartcard-vpcd vsmartcard-vpicc
    pip install 'sscard[virtualsmartcard]'
    export PYTHONPATH=/usr/lib/python3/site-packages/virtualsmartcard
    python virtual_card.py card.db [PORT]

Makes the card file if it does not exist. PORT is that of the reader's driver,
35963 by default. Ends with Ctrl-C; what happened to the card stays in the file.
"""

from __future__ import annotations

import sys
from pathlib import Path

import sscard
from sscard.transport.virtualsmartcard import virtual_icc
from sscard.transport.vpcd import DEFAULT_PORT


def main(file: str, port: str = str(DEFAULT_PORT)) -> None:
    """Serve the card of a file until the reader's driver or the user ends it."""
    if not Path(file).exists():
        sscard.save_card(sscard.issue_card(pin="123456"), file)
    with sscard.open_card(file) as card:
        virtual_icc(card, port=int(port)).run()


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(*sys.argv[1:])
