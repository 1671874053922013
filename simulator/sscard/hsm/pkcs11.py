"""The HSM as a PKCS#11 token, for DES and 3DES. Root keys and the keys derived from them stay in the token.

A root is a secret key object of the token, sensitive and not extractable. Its
type says which DES it is: DES2 for a key of 16 bytes, DES3 with three times
the same 8 bytes for a single-DES key. Its label says what it is for: address,
use, version (from 1) and name, as in ``1004 mac-and-encipher 1 STK``.

Province, city, card and session keys are derived in the token
(CKM_DES3_ECB_ENCRYPT_DATA), as objects of the session that are sensitive, not
extractable, and destroyed after use. What crosses the border to the token in
clear: a root's value while ``load_roots`` puts it in, and the data that gets
enciphered, a new PIN among it. SM4 is in no token we know of: it is refused.
So is a TAC: it takes the two halves of DTK XORed, and no PKCS#11 mechanism
XORs two keys; reading DTK out to do it here would defeat the token. MAC1 and
MAC2 of a purchase are computed in the token.
"""

from __future__ import annotations

import ctypes
import logging
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Final, get_args
from urllib.parse import quote, unquote

from sscard.errors import InputError, MissingPart, not_loaded
from sscard.hsm.protocol import Access, CheckedHsm, HsmError, HsmUnavailable
from sscard.i18n.phrase import Phrase
from sscard.issuer.hierarchy import Address, CardReference, KeyFile, Use
from sscard.standard.cipher import (
    DES,
    MAC_LENGTH,
    Suite,
    city_factor,
    complement,
    pad,
    pin_block,
    province_factor,
)
from sscard.standard.keys import ROOT_OF

logger = logging.getLogger("sscard.hsm")

DES_BLOCK: Final = 8
DOUBLE: Final = 16
"""Length of a root that makes 3DES."""

PIN_VARIABLE: Final = "SSCARD_TOKEN_PIN"
EXAMPLE: Final = "pkcs11:token=LABEL"
SOFTHSM: Final = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
    "C:/SoftHSM2/lib/softhsm2-x64.dll",
)
"""Where SoftHSM2 is installed, by system."""

_ENTRY: Final = "C_GetFunctionList"
"""The function that makes a library a PKCS#11 module."""
_USES: Final = {use.replace(" ", "-"): use for use in get_args(Use)}
"""Uses by their word in a label."""


class Pkcs11Hsm(CheckedHsm):
    """The HSM of a token that ``load_roots`` filled; a context manager, thread-safe.

    ``module`` is the path of the token's PKCS#11 library, ``token`` its label,
    ``pin`` that of its user. Errors of making one: ``MissingPart`` without
    python-pkcs11, ``InputError`` for a file that is no module,
    ``HsmUnavailable`` if there is no such token or it refuses the PIN,
    ``HsmError`` if it cannot derive keys.
    """

    def __init__(self, module: Path, token: str, pin: str) -> None:
        self._pkcs11 = _library()
        self._module = module
        self._token = token
        self._lock = Lock()
        with ExitStack() as opened:
            session = opened.enter_context(_session(module, token, pin))
            with _refusals():
                self._roots = {address: (at, key) for address, at, key in _keys_in(session)}
            self._open = opened.pop_all()
        logger.info("token opened", extra={"library": str(module), "token": token, "keys": len(self._roots)})
        self._addresses = {(at.key, at.version): address for address, (at, _) in self._roots.items()}

    def __repr__(self) -> str:
        return f"<Pkcs11Hsm {self._token}>"

    def __reduce__(self) -> tuple[Any, ...]:
        # A pickle names the token without its PIN, which the process that opens it takes from the environment.
        url = f"pkcs11:token={quote(self._token)};module={quote(str(self._module))}"
        return partial(open_url, access=Access()), (url,)

    def __enter__(self) -> Pkcs11Hsm:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Log out; the roots stay in the token."""
        self._open.close()

    def address_of(self, key: str, version: int = 0) -> str:
        """See ``Hsm``."""
        try:
            return self._addresses[ROOT_OF.get(key, key), version]
        except KeyError:
            raise HsmError(Phrase("this HSM holds no {key} version {version}", key=key, version=version + 1)) from None

    def _at(self, address: str) -> Address | None:
        return self._roots[address][0] if address in self._roots else None

    def _authenticate(self, suite: Suite, at: Address, card: CardReference, factor: bytes, original: bytes) -> bytes:
        with self._session_key(suite, at, card, factor) as session:
            return self._encipher(session, original)

    def _message(
        self, suite: Suite, at: Address, card: CardReference, factor: bytes, header: bytes, pin: bytes | None
    ) -> bytes:
        with self._session_key(suite, at, card, factor) as session:
            message = header + (b"" if pin is None else self._encipher(session, pin_block(pin, DES_BLOCK)))
            return message + self._mac(session, message)

    def _purchase_mac(self, suite: Suite, at: Address, card: CardReference, factor: bytes, message: bytes) -> bytes:
        with self._session_key(suite, at, card, factor) as session:
            return self._mac(session, message)

    def _transaction_proof(self, suite: Suite, at: Address, _card: CardReference, _message: bytes) -> bytes:
        _check_suite(suite)
        raise HsmError(
            Phrase(
                "a token cannot compute a TAC: the two halves of {key} cannot be XORed without reading them", key=at.key
            )
        )

    @contextmanager
    def _session_key(self, suite: Suite, at: Address, card: CardReference, factor: bytes) -> Iterator[Any]:
        """The session key as an object of the token, which is locked meanwhile."""
        _check_suite(suite)
        __, root = self._roots[self.address_of(at.key, at.version)]
        factors = (province_factor(card.city_code), city_factor(card.city_code), card.serial)
        with self._lock, _refusals(), ExitStack() as derived:
            key = root
            for level in factors:
                data = level + complement(level) if key.key_type == self._pkcs11.KeyType.DES2 else level * 3
                key = derived.enter_context(self._child(key, key.key_type, data))
            challenge = factor.ljust(DES_BLOCK, b"\0")
            yield derived.enter_context(self._child(key, self._pkcs11.KeyType.DES3, challenge * 3))

    @contextmanager
    def _child(self, key: Any, key_type: Any, data: bytes) -> Iterator[Any]:
        """The key whose value is ``data`` enciphered, destroyed at the end of the ``with`` block."""
        held = ctypes.create_string_buffer(data, len(data))
        child = key.derive_key(
            key_type,
            8 * len(data),
            mechanism=self._pkcs11.Mechanism.DES3_ECB_ENCRYPT_DATA,
            mechanism_param=bytes(_StringData(ctypes.addressof(held), len(data))),
            template={
                **_template(self._pkcs11.Attribute, stored=False),
                # The type of a DES key tells its length: a token refuses to be told as well.
                self._pkcs11.Attribute.VALUE_LEN: self._pkcs11.constants.DEFAULT,
            },
        )
        try:
            yield child
        finally:
            child.destroy()

    def _encipher(self, key: Any, blocks: bytes) -> bytes:
        return bytes(key.encrypt(blocks, mechanism=self._pkcs11.Mechanism.DES3_ECB))

    def _mac(self, key: Any, message: bytes) -> bytes:
        """MAC, 4 bytes: the left half of the last block of a CBC encryption from a zero IV."""
        blocks = pad(message, DES_BLOCK)
        chained = key.encrypt(blocks, mechanism=self._pkcs11.Mechanism.DES3_CBC, mechanism_param=bytes(DES_BLOCK))
        return bytes(chained[-DES_BLOCK:])[:MAC_LENGTH]


class _StringData(ctypes.Structure):
    """CK_KEY_DERIVATION_STRING_DATA; python-pkcs11 builds it for AES only."""

    _fields_ = (("data", ctypes.c_void_p), ("length", ctypes.c_ulong))


def open_url(url: str, *, access: Access) -> Pkcs11Hsm:
    """The HSM of ``pkcs11:token=LABEL[;module=PATH]``, values percent-encoded as in RFC 7512.

    The PIN is in SSCARD_TOKEN_PIN, or asked for. Without a module the one in
    SSCARD_PKCS11_MODULE, or SoftHSM2.
    """
    given = dict(part.partition("=")[::2] for part in url.partition(":")[2].split(";"))
    if set(given) - {"token", "module"} or not given.get("token") or "?" in url:  # after it RFC 7512 has the PIN
        raise InputError(
            Phrase("a pkcs11 URL has token=LABEL, may have module=PATH, and nothing else"),
            remedy=Phrase(
                "for example {example}; the PIN goes into {variable}", example=EXAMPLE, variable=PIN_VARIABLE
            ),
        )
    module = Path(unquote(given.get("module", ""))) if given.get("module") else default_module()
    token = unquote(given["token"])
    find_token(module, token)  # before the PIN is asked for
    return Pkcs11Hsm(module, token, token_pin(access))


def default_module() -> Path:
    """The module in SSCARD_PKCS11_MODULE, or that of SoftHSM2; ``MissingPart`` if there is neither."""
    chosen = os.environ.get("SSCARD_PKCS11_MODULE")
    if chosen:
        return Path(chosen)
    for place in map(Path, SOFTHSM):
        if place.exists():
            return place
    raise MissingPart(Phrase("no PKCS#11 module given, and SoftHSM2 is not installed"), "sudo apt-get install softhsm2")


def token_pin(access: Access) -> str:
    """The PIN of a token's user: SSCARD_TOKEN_PIN, or what the user types."""
    pin = os.environ.get(PIN_VARIABLE) or (access.ask_pin() if access.ask_pin else "")
    if not pin:
        raise HsmUnavailable(Phrase("the token's PIN is not given"), f"{PIN_VARIABLE}=PIN")
    return pin


def load_roots(module: Path, token: str, pin: str, file: KeyFile) -> int:
    """Write the DES root keys of a key file to a token and return their number; keys at the same address are replaced.

    Raises the errors of ``Pkcs11Hsm``.
    """
    attribute = _library().Attribute
    roots = [
        (address, f"{address} {root.use.replace(' ', '-')} {version} {root.name}", value)
        for root in file.keys
        for version, (address, value) in enumerate(zip(root.addresses, root.values(DES), strict=False), 1)
    ]
    with _session(module, token, pin) as session, _refusals():
        there = {address: key for address, _, key in _keys_in(session)}
        for address, label, value in roots:
            if address in there:
                there[address].destroy()
            session.create_object(
                {
                    **_template(attribute, stored=True),
                    **_value(value),
                    attribute.LABEL: label,
                    attribute.ID: _id(address),
                }
            )
    return len(roots)


def _library() -> Any:
    try:
        import pkcs11  # noqa: PLC0415 - an extra
    except ImportError:
        raise MissingPart(Phrase("python-pkcs11 is not installed"), "pip install 'sscard[pkcs11]'") from None
    return pkcs11


def find_token(module: Path, token: str) -> Any:
    """The token of a module with a label. Raises the errors of ``Pkcs11Hsm``."""
    library = _library()
    try:
        return library.lib(str(module)).get_token(token_label=token)
    except library.NoSuchToken:
        raise HsmUnavailable(
            Phrase("{module} has no token {token!r}", module=str(module), token=token),
            f"pkcs11-tool --module {module} -L",
        ) from None
    except (library.PKCS11Error, RuntimeError) as error:
        # A file that does not load is an error without a name of its own.
        named = type(error) not in (library.PKCS11Error, RuntimeError)
        problem = _words(error) if named else not_loaded(module)
        if not named and str(error).endswith(_ENTRY):
            problem = Phrase("it has no function {function}", function=_ENTRY)
        raise InputError(
            Phrase("cannot be used as a PKCS#11 module: {problem}", problem=problem), file=str(module)
        ) from None


@contextmanager
def _session(module: Path, token: str, pin: str) -> Iterator[Any]:
    """A read-write session of the token's user; ``HsmError`` if the token cannot derive keys."""
    library = _library()
    found = find_token(module, token)
    with _refusals():
        if library.Mechanism.DES3_ECB_ENCRYPT_DATA not in found.slot.get_mechanisms():
            raise HsmError(
                Phrase("token {token!r} cannot derive keys in 3DES (CKM_DES3_ECB_ENCRYPT_DATA)", token=token)
            )
        try:
            opened = found.open(rw=True, user_pin=pin)
        except (
            library.PinIncorrect,
            library.PinInvalid,
            library.PinLenRange,
            library.PinLocked,
            library.PinExpired,
        ) as error:
            raise HsmUnavailable(
                Phrase("token {token!r} refused its PIN: {problem}", token=token, problem=_words(error)),
                f"{PIN_VARIABLE}=PIN",
            ) from None
    with opened:
        yield opened


def _keys_in(session: Any) -> Iterator[tuple[str, Address, Any]]:
    """The root keys of sscard in a token; other keys are ignored."""
    library = _library()
    for key in session.get_objects({library.Attribute.CLASS: library.ObjectClass.SECRET_KEY}):
        address, __, rest = key.label.partition(" ")
        use, __, rest = rest.partition(" ")
        version, __, name = rest.partition(" ")
        if use in _USES and version.isdigit() and key.id == _id(address):
            yield address, Address(name, int(version) - 1, _USES[use]), key


def _id(address: str) -> bytes:
    return address.encode("ascii", errors="replace")


def _value(value: bytes) -> dict[Any, Any]:
    library = _library()
    if len(value) == DOUBLE:
        return {library.Attribute.KEY_TYPE: library.KeyType.DES2, library.Attribute.VALUE: value}
    return {library.Attribute.KEY_TYPE: library.KeyType.DES3, library.Attribute.VALUE: value * 3}


def _template(attribute: Any, *, stored: bool) -> dict[Any, Any]:
    """The attributes of every key; with the object class if it is created from a value."""
    template = {
        attribute.TOKEN: stored,
        attribute.PRIVATE: True,
        attribute.SENSITIVE: True,
        attribute.EXTRACTABLE: False,
        attribute.ENCRYPT: not stored,
        attribute.DERIVE: True,
    }
    return {**template, attribute.CLASS: _library().ObjectClass.SECRET_KEY} if stored else template


def _check_suite(suite: Suite) -> None:
    if suite is not DES:
        raise HsmError(Phrase("this token computes DES and 3DES only, not {suite}", suite=suite.name))


@contextmanager
def _refusals() -> Iterator[None]:
    """Turn a refusal of the token into an ``HsmError`` with the PKCS#11 name of the error only."""
    try:
        yield
    except _library().PKCS11Error as error:
        raise HsmError(Phrase("the token refused: {problem}", problem=_words(error))) from None


def _words(error: Exception) -> str:
    """The PKCS#11 name of an error, such as CKR_PIN_INCORRECT; its text may repeat a secret."""
    return "CKR" + re.sub("(?=[A-Z])", "_", type(error).__name__).upper()
