"""The arithmetic of LD/T 32.4: session key, authentication data, PIN encipherment, MAC, diversification.

The suites are in ``SUITES``: ``DES`` (blocks of 8 bytes, DES and 3DES) and
``SM4`` (blocks of 16 bytes). To add an algorithm, add a subclass of ``Suite``
there, and its root keys to the key file. A suite is stateless; a ``BlockKey``
is one key with its ECB context, for repeated use. The keys used last are kept
with their contexts, because setting one up costs more than all else of a
command; nothing shows or pickles them.
"""

from __future__ import annotations

from _operator import _compare_digest as compare_digest  # that of hmac, whose import loads the hashes of OpenSSL
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from sscard.pickling import PortableError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.modes import ECB

MAC_LENGTH: Final = 4
AUTHENTICATION_LENGTH: Final = 8
FACTOR_LENGTH: Final = 8

equal: Final = compare_digest
"""Compare two byte strings in constant time."""


class CipherError(PortableError, ValueError):
    """Input of a form that the arithmetic does not define; the text never contains a key or PIN."""


KEPT_KEYS: Final = 1024
"""Keys of each suite whose contexts are kept; the least recently used makes way for the next."""
KEPT_SESSION_KEYS: Final = 8
"""The same for session keys: card and HSM of one process need each of them once, one after the other."""


class BlockKey:
    """One key of a block cipher: ``encrypt`` and ``decrypt`` whole blocks in ECB.

    Its holders share it, so part of a block, which its context would keep for
    the next call, is a ``CipherError``.
    """

    __slots__ = ("_cipher", "_encryptor", "block", "length")

    def __init__(self, cipher: Cipher[ECB], length: int, block: int) -> None:
        self.length = length
        self.block = block
        self._cipher = cipher
        self._encryptor = cipher.encryptor()

    def encrypt(self, blocks: bytes) -> bytes:
        if len(blocks) % self.block:
            raise CipherError(f"a cipher takes whole blocks of {self.block} bytes, got {len(blocks)} bytes")
        try:
            return self._encryptor.update(blocks)
        except RuntimeError:  # cryptography before 45, while another thread uses the context
            return self._cipher.encryptor().update(blocks)

    def decrypt(self, blocks: bytes) -> bytes:
        return self._cipher.decryptor().update(blocks)

    def chain(self, blocks: bytes) -> bytes:
        """The last block of a CBC encryption from a zero IV."""
        size = self.block
        last = self.encrypt(blocks[:size])
        for start in range(size, len(blocks), size):
            mixed = int.from_bytes(last, "big") ^ int.from_bytes(blocks[start : start + size], "big")
            last = self.encrypt(mixed.to_bytes(size, "big"))
        return last


def pad(data: bytes, block: int) -> bytes:
    """Append 80, then 00 up to a whole block; always at least the 80 (LD/T 32.4 MAC step 2)."""
    return data + b"\x80" + bytes(-(len(data) + 1) % block)


def pin_block(pin: bytes, block: int) -> bytes:
    """LD ‖ PIN, padded only if it does not fill the block (LD/T 32.4, card-security.md §5)."""
    plain = bytes((len(pin),)) + pin
    return pad(plain, block) if len(plain) % block else plain


_COMPLEMENTS: Final = bytes(range(0xFF, -1, -1))


def complement(factor: bytes) -> bytes:
    """The bitwise complement of a diversification factor."""
    return factor.translate(_COMPLEMENTS)


class Suite:
    """One algorithm of the card with the steps of LD/T 32.4; use those of ``SUITES``.

    ``algorithm_id`` is the value of FCI tag 86, ``title`` the name beside that
    id; block, keys and challenges are measured in bytes. A key file lists the
    suite's root keys under ``key_field``.
    """

    __slots__ = ("algorithm_id", "block", "challenge_lengths", "key_lengths", "name", "session_key_length", "title")

    def __init__(
        self,
        name: str,
        algorithm_id: int,
        *,
        title: str,
        block: int,
        key_lengths: tuple[int, ...],
        session_key_length: int,
        challenge_lengths: tuple[int, ...],
    ) -> None:
        self.name: Final = name
        self.algorithm_id: Final = algorithm_id
        self.title: Final = title
        self.block: Final = block
        self.key_lengths: Final = key_lengths
        self.session_key_length: Final = session_key_length
        self.challenge_lengths: Final = challenge_lengths

    def __repr__(self) -> str:
        return f"<Suite {self.name}>"

    def __reduce__(self) -> str:
        # A pickle refers to the suite by the name of its constant in this module, so that it is the same one again.
        return self.name

    @property
    def key_field(self) -> str:
        return self.name.lower()

    def key(self, value: bytes) -> BlockKey:
        """A key ready for use."""
        raise NotImplementedError

    def passing_key(self, value: bytes) -> BlockKey:
        """A key for one operation, such as a session key, ready for use."""
        raise NotImplementedError

    def authentication_data(self, session: BlockKey, original: bytes) -> bytes:
        """Authentication data (鉴别数据), 8 bytes, over 8 bytes of original data."""
        raise NotImplementedError

    def fold(self, block: bytes) -> bytes:
        """The 4 MAC bytes from the last CBC block."""
        raise NotImplementedError

    def diversify(self, key: BlockKey, factor: bytes) -> bytes:
        """One level of diversification (分散) by an 8-byte factor: a child of the key's own length."""
        raise NotImplementedError

    def session_key(self, key: BlockKey, challenge: bytes) -> BlockKey:
        """Session key (过程密钥) from a challenge of 4, 8 or (SM4) 16 bytes, right-padded with 00."""
        if len(challenge) not in self.challenge_lengths:
            raise CipherError(f"{self.name} takes a challenge of {self.challenge_lengths} bytes, got {len(challenge)}")
        return self.passing_key(key.encrypt(challenge + bytes(self.block - len(challenge))))

    def authenticate(self, key: BlockKey, challenge: bytes, original: bytes) -> bytes:
        """Authentication data, 8 bytes, for a process factor (challenge) and original data."""
        return self.authentication_data(self.session_key(key, challenge), original)

    def encipher_pin(self, session: BlockKey, pin: bytes) -> bytes:
        """The PIN block, encrypted in ECB: 8 or 16 bytes."""
        return session.encrypt(pin_block(pin, self.block))

    def decipher_pin(self, session: BlockKey, enciphered: bytes) -> bytes | None:
        """The PIN bytes of an enciphered block, ``None`` if LD or the padding is wrong."""
        if not enciphered or len(enciphered) % self.block:
            return None
        plain = session.decrypt(enciphered)
        pin = plain[1 : 1 + plain[0]]
        if len(pin) != plain[0] or len(pin) > 8:
            return None
        return pin if equal(pin_block(pin, self.block), plain) else None

    def proof_key(self, value: bytes) -> bytes:
        """The key of a TAC (交易验证码) from DTK: under DES the XOR of its halves."""
        return value

    def mac(self, session: BlockKey, message: bytes) -> bytes:
        """MAC (报文鉴别代码), 4 bytes, over a message: header with Lc counting the MAC, then data."""
        return self.fold(session.chain(pad(message, self.block)))


class _Des(Suite):
    """DES and two-key 3DES; session keys are always single DES (LD/T 32.4, block of 8)."""

    __slots__ = ()

    def key(self, value: bytes) -> BlockKey:
        return _des_key(value)

    def passing_key(self, value: bytes) -> BlockKey:
        return _passing_des_key(value)

    def authentication_data(self, session: BlockKey, original: bytes) -> bytes:
        return session.encrypt(original)

    def fold(self, block: bytes) -> bytes:
        return block[:MAC_LENGTH]

    def proof_key(self, value: bytes) -> bytes:
        return bytes(left ^ right for left, right in zip(value[:8], value[8:], strict=True))

    def diversify(self, key: BlockKey, factor: bytes) -> bytes:
        if key.length == 8:
            return key.encrypt(factor)
        return key.encrypt(factor + complement(factor))


class _Sm4(Suite):
    """SM4, block and key of 16 bytes."""

    __slots__ = ()

    def key(self, value: bytes) -> BlockKey:
        return _sm4_key(value)

    def passing_key(self, value: bytes) -> BlockKey:
        return _passing_sm4_key(value)

    def authentication_data(self, session: BlockKey, original: bytes) -> bytes:
        whole = int.from_bytes(session.encrypt(original + bytes(8)), "big")
        return (whole >> 64 ^ whole & 0xFFFF_FFFF_FFFF_FFFF).to_bytes(AUTHENTICATION_LENGTH, "big")

    def fold(self, block: bytes) -> bytes:
        whole = int.from_bytes(block, "big")
        return ((whole >> 96 ^ whole >> 64 ^ whole >> 32 ^ whole) & 0xFFFF_FFFF).to_bytes(MAC_LENGTH, "big")

    def diversify(self, key: BlockKey, factor: bytes) -> bytes:
        return key.encrypt(factor + complement(factor))


@lru_cache(maxsize=1)
def _ecb() -> dict[str, Callable[[bytes], Cipher[ECB]]]:
    """ECB under a key, by suite. The first key loads the library: a program may need none."""
    # A compiled module keeps these names as its own, so they are not those of the suites.
    from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.algorithms import SM4 as _SM4
    from cryptography.hazmat.primitives.ciphers.modes import ECB

    mode = ECB()
    return {"DES": lambda key: Cipher(TripleDES(key), mode), "SM4": lambda key: Cipher(_SM4(key), mode)}


def _new_des_key(value: bytes) -> BlockKey:
    if len(value) == 8:
        return BlockKey(_ecb()["DES"](value * 3), 8, 8)
    if len(value) == 16:
        return BlockKey(_ecb()["DES"](value + value[:8]), 16, 8)
    raise CipherError(f"a DES key has 8 or 16 bytes, got {len(value)}")


def _new_sm4_key(value: bytes) -> BlockKey:
    if len(value) != 16:
        raise CipherError(f"an SM4 key has 16 bytes, got {len(value)}")
    return BlockKey(_ecb()["SM4"](value), 16, 16)


_des_key: Final = lru_cache(KEPT_KEYS)(_new_des_key)
_sm4_key: Final = lru_cache(KEPT_KEYS)(_new_sm4_key)
_passing_des_key: Final = lru_cache(KEPT_SESSION_KEYS)(_new_des_key)
_passing_sm4_key: Final = lru_cache(KEPT_SESSION_KEYS)(_new_sm4_key)

DES: Final[Suite] = _Des(
    "DES", 0x01, title="DES/3DES", block=8, key_lengths=(8, 16), session_key_length=8, challenge_lengths=(4, 8)
)
SM4: Final[Suite] = _Sm4(
    "SM4", 0x03, title="SM4", block=16, key_lengths=(16,), session_key_length=16, challenge_lengths=(4, 8, 16)
)
_ALL: Final[tuple[Suite, ...]] = (DES, SM4)
SUITES: Final = {suite.algorithm_id: suite for suite in _ALL}
"""By the algorithm id of FCI tag 86."""
SUPPORTED: Final = ", ".join(f"{id_:02X} {suite.name}" for id_, suite in SUITES.items())
"""The ids and names of the suites, for messages."""
SUITES_BY_NAME: Final = {suite.name: suite for suite in _ALL}

SSF33_ID: Final = 0x02
SECRET_ALGORITHMS: Final = ("SSF33", "SM1")
"""Algorithms that are not public, so that no suite can implement them."""
ALGORITHM_NAMES: Final[dict[int, str]] = dict(
    sorted([(SSF33_ID, "SSF33"), *((suite.algorithm_id, suite.title) for suite in _ALL)])
)
"""Every algorithm that a card may name, by id, including those that are not public."""


def province_factor(city_code: str) -> bytes:
    """Factor f1 (省标识), 8 bytes, of a six-digit city code: 510100 gives ``51 00 00 sh`` in ASCII."""
    return (city_code[:2] + "0000sh").encode("ascii")


def city_factor(city_code: str) -> bytes:
    """Factor f2 (地市标识), 8 bytes; in province 33 the district is dropped (driver practice)."""
    digits = city_code[:4] + "00" if city_code.startswith("33") else city_code
    return (digits + "sx").encode("ascii")
