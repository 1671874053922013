/*
 * The library: each function sends the commands in the order that real readers send them
 * (docs/standard/terminal-flows.md 6.1 and 10).
 *
 *   cc -shared -fPIC reader.c $(pkg-config --cflags --libs libpcsclite) -o libreader.so
 */
#include "reader.h"

#include <stdio.h>
#include <string.h>
#include <winscard.h>

typedef unsigned char byte;

enum { NOT_OURS = -1, NO_CARD = -2, PCSC = -11, MALFORMED = -15, FORGED = -21, OTHER_CARD = -22, PIN_FORM = -33, NO_HOST = -99 };
enum { DES = 1, SSF33 = 2, SM4 = 3, CHALLENGE = 8, MAC = 4, HEADER = 5, SERIAL = 8, MOST = 258, HEX = 2 * MOST + 1 };

static SCARDCONTEXT context;
static SCARDHANDLE card;
static const SCARD_IO_REQUEST *protocol;
static char serial[2 * SERIAL + 1];
static int algorithm;

static char *to_hex(const byte *data, size_t length, char *digits) {
    for (size_t i = 0; i < length; i++) sprintf(digits + 2 * i, "%02X", data[i]);
    digits[2 * length] = '\0';
    return digits;
}

static size_t from_hex(const char *digits, byte *data) {
    size_t length = strlen(digits) / 2;
    for (size_t i = 0; i < length; i++)
        if (sscanf(digits + 2 * i, "%2hhx", &data[i]) != 1) return 0;
    return length;
}

static long transmit(const byte *command, size_t length, byte *answer, DWORD *received) {
    *received = MOST;
    if (SCardTransmit(card, protocol, command, (DWORD)length, NULL, answer, received) != SCARD_S_SUCCESS) return PCSC;
    return *received < 2 ? MALFORMED : 0;
}

/* Sends a command in hex; the data of the answer, at most MOST bytes, if the card answers 9000. */
static long send(const char *digits, byte *answer, size_t *length) {
    byte command[MOST];
    DWORD received;
    size_t size = from_hex(digits, command);
    long failed = transmit(command, size, answer, &received);
    if (!failed && answer[received - 2] == 0x61) { /* T=0: the data wait */
        const byte fetch[] = {0x00, 0xC0, 0x00, 0x00, answer[received - 1]};
        failed = transmit(fetch, sizeof fetch, answer, &received);
    } else if (!failed && answer[received - 2] == 0x6C) { /* T=0: the right length */
        command[size - 1] = answer[received - 1];
        failed = transmit(command, size, answer, &received);
    }
    if (failed) return failed;
    *length = received - 2;
    long sw = answer[received - 2] << 8 | answer[received - 1];
    return sw == 0x9000 ? 0 : -sw;
}

static long send_only(const char *digits) {
    byte answer[MOST];
    size_t length;
    return send(digits, answer, &length);
}

static long select_ssse(void) { return send_only("00A404000F7378312E73682EC9E7BBE1B1A3D5CF"); }

/* READ RECORD of a tag with Le of the whole record: the value as hex, or as text without its fill. */
static long read_item(int tag, int p2, int size, int as_text, char *value) {
    char command[16];
    byte record[MOST];
    size_t length;
    sprintf(command, "00B2%02X%02X%02X", tag, p2, size + 2);
    long failed = send(command, record, &length);
    if (failed) return failed;
    if (length != (size_t)size + 2 || record[0] != tag || record[1] != size) return MALFORMED;
    if (!as_text) return to_hex(record + 2, (size_t)size, value), 0;
    memcpy(value, record + 2, (size_t)size);
    while (size > 0 && (value[size - 1] == ' ' || value[size - 1] == '\0')) size--;
    value[size] = '\0';
    return 0;
}

static long challenge(char *digits) {
    byte answer[MOST];
    size_t length;
    long failed = send("0084000008", answer, &length);
    if (!failed && length != CHALLENGE) return MALFORMED;
    if (!failed) to_hex(answer, length, digits);
    return failed;
}

/* Two challenges, and the host's proof over them: process factor, original data, proof and original data. */
static long prove(reader_host host, const char *key, const char *city, char *factor, char *original, char *proof) {
    char asked[128];
    long failed = challenge(original);
    if (!failed) failed = challenge(factor);
    if (failed) return failed;
    sprintf(asked, "prove|%s|%02X|%.6s|%s|%.16s|%.16s|", key, algorithm, city, serial, factor, original);
    return host(asked, proof) == 0 && strlen(proof) == 32 ? 0 : NO_HOST;
}

static long prove_key(reader_host host, const char *key, int number, const char *city) {
    char factor[HEX], original[HEX], proof[HEX], command[HEX];
    long failed = prove(host, key, city, factor, original, proof);
    if (failed) return failed;
    sprintf(command, "008200%02X10%.32s", number, proof);
    return send_only(command);
}

/* Internal authentication: the card's 8 bytes must be the host's. */
static long is_genuine(reader_host host, const char *city) {
    char factor[HEX], original[HEX], proof[HEX], command[64], own[HEX];
    byte answer[MOST];
    size_t length;
    long failed = prove(host, "IRK", city, factor, original, proof);
    if (failed) return failed;
    sprintf(command, "0088000010%.16s%.16s", factor, original);
    failed = send(command, answer, &length);
    if (failed) return failed;
    return length == 8 && strncmp(proof, to_hex(answer, length, own), 16) == 0 ? 0 : FORGED;
}

/* 4 to 16 digits as BCD in hex, an odd number filled with F. */
static int encode_pin(const char *pin, char *digits) {
    size_t length = strlen(pin);
    if (length < 4 || length > 16 || strspn(pin, "0123456789") != length) return 0;
    return sprintf(digits, "%s%s", pin, length % 2 ? "F" : "");
}

long reader_open(const char *name) {
    DWORD active, atr_length = MAX_ATR_SIZE;
    byte atr[MAX_ATR_SIZE], fci[MOST];
    size_t length;
    if (SCardEstablishContext(SCARD_SCOPE_SYSTEM, NULL, NULL, &context) != SCARD_S_SUCCESS) return PCSC;
    LONG result = SCardConnect(context, name, SCARD_SHARE_EXCLUSIVE, SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1, &card, &active);
    if (result == (LONG)SCARD_E_NO_SMARTCARD || result == (LONG)SCARD_W_REMOVED_CARD) return NO_CARD;
    if (result != SCARD_S_SUCCESS) return PCSC;
    protocol = active == SCARD_PROTOCOL_T1 ? SCARD_PCI_T1 : SCARD_PCI_T0;
    if (SCardStatus(card, NULL, NULL, NULL, NULL, atr, &atr_length) != SCARD_S_SUCCESS) return PCSC;
    if (atr_length < 17) return NOT_OURS;
    to_hex(atr + 4 + 5, SERIAL, serial); /* 3B 6D 00 00, then 13 historical bytes, the last 8 serial */
    long failed = send("00A404000F7378312E73682EC9E7BBE1B1A3D5CF", fci, &length);
    if (failed) return failed == -0x6A82 ? NOT_OURS : failed;
    algorithm = 0; /* not named: decided by the city, once it is read */
    for (size_t i = 0; i + 5 < length; i++)
        if (memcmp(fci + i, "\x9F\x0C\x03\x86\x01", 5) == 0) algorithm = fci[i + 5];
    return 0;
}

void reader_close(void) {
    SCardDisconnect(card, SCARD_UNPOWER_CARD);
    SCardReleaseContext(context);
}

/* The algorithm of a card that names none; SSF33 is not public, so that the host refuses it. */
static void settle_algorithm(const char *city) {
    if (algorithm == 0) algorithm = strncmp(city, "11", 2) == 0 ? SSF33 : DES;
}

long reader_basic(reader_host host, char *out) {
    char code[HEX], version[MOST], number[MOST], issued[HEX], expires[HEX], id[MOST], name[MOST], more[MOST] = "", sex[MOST];
    long failed;
    if ((failed = read_item(0x01, 0x28, 16, 0, code))) return failed; /* EF05 by its SFI, as a 1.0 reader does */
    if ((failed = read_item(0x03, 0x28, 4, 1, version))) return failed;
    settle_algorithm(code);
    if ((failed = send_only("00A4000002EF05"))) return failed;
    if ((failed = read_item(0x07, 0x28, 9, 1, number))) return failed;
    int newest = version[0] == '3';
    if ((failed = select_ssse())) return failed;
    if ((failed = is_genuine(host, code))) return failed;
    if (newest && (failed = prove_key(host, "RKSSSE", 0x0A, code))) return failed;
    if ((failed = send_only("00A4020002EF05"))) return failed;
    if ((failed = read_item(0x05, 0x00, 4, 0, issued))) return failed;
    if ((failed = read_item(0x06, 0x00, 4, 0, expires))) return failed;
    if ((failed = send_only(newest ? "00A4020002EF06" : "00A4000002EF06"))) return failed;
    if ((failed = read_item(0x08, 0x30, 18, 1, id))) return failed;
    if ((failed = read_item(0x09, 0x30, 30, 1, name))) return failed;
    if (newest && (failed = read_item(0x4E, 0x30, 20, 1, more))) return failed;
    if ((failed = read_item(0x0A, 0x30, 1, 1, sex))) return failed;
    sprintf(out, "%s|%s|%s|%s|%s|%s|%s%s|%s|", code, version, number, issued, expires, id, name, more, sex);
    return 0;
}

/* SELECT, EF05, SELECT, VERIFY: the second session of terminal-flows.md 10.2. */
long reader_verify(const char *pin) {
    char digits[18], command[64];
    int length = encode_pin(pin, digits);
    long failed;
    if (!length) return PIN_FORM;
    if ((failed = select_ssse()) || (failed = send_only("00A4020002EF05")) || (failed = select_ssse())) return failed;
    sprintf(command, "00200000%02X%s", length / 2, digits);
    return send_only(command);
}

long reader_change(const char *old_pin, const char *new_pin) {
    char old_digits[18], new_digits[18], command[64];
    int old_length = encode_pin(old_pin, old_digits), new_length = encode_pin(new_pin, new_digits);
    long failed;
    if (!old_length || !new_length) return PIN_FORM;
    if ((failed = select_ssse())) return failed;
    sprintf(command, "805E0100%02X%sFF%s", (old_length + new_length) / 2 + 1, old_digits, new_digits);
    return send_only(command);
}

/* terminal-flows.md 6.1, with PUK surviving the second SELECT and the new PIN tried at the end. */
long reader_reset(reader_host host, const char *new_pin) {
    char code[HEX], again[HEX], digits[18], factor[HEX], asked[160], command[HEX] = "";
    int length = encode_pin(new_pin, digits);
    long failed;
    if (!length) return PIN_FORM;
    if ((failed = select_ssse()) || (failed = send_only("00A4020002EF05"))) return failed;
    if ((failed = read_item(0x01, 0x00, 16, 0, code))) return failed;
    settle_algorithm(code);
    if ((failed = prove_key(host, "PUK", 0x06, code))) return failed;
    if ((failed = select_ssse())) return failed;
    if ((failed = send_only("00A4020002EF05")) || (failed = read_item(0x01, 0x00, 16, 0, again))) return failed;
    if (strcmp(code, again) != 0) return OTHER_CARD;
    if ((failed = challenge(factor))) return failed;
    int block = algorithm == SM4 ? 16 : 8, enciphered = (length / 2 + block) / block * block;
    sprintf(asked, "seal|STK|%02X|%.6s|%s|%.16s|84240001%02X|%s|", algorithm, code, serial, factor, enciphered + MAC, digits);
    if (host(asked, command) != 0 || strlen(command) != 2 * (size_t)(HEADER + enciphered + MAC)) return NO_HOST;
    if ((failed = send_only(command))) return failed;
    sprintf(command, "00200000%02X%s", length / 2, digits);
    return send_only(command);
}
