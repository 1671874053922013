"""CBC with an initial block, for the PSAM's MACs."""

from __future__ import annotations

from sscard.standard.cipher import BlockKey


def chain(key: BlockKey, initial: bytes, blocks: bytes) -> bytes:
    """The last block of a CBC encryption of whole blocks; ``initial`` for empty data."""
    if not blocks:
        return initial
    size = key.block
    mixed = bytes(left ^ right for left, right in zip(initial, blocks[:size], strict=True))
    return key.chain(mixed + blocks[size:])
