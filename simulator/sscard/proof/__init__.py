"""Proofs by machine that a card keeps its promises under power cuts, failing disks and kills (``sscard prove``)."""
