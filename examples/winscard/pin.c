/*
 * Change or reset the PIN of a social security card in a PC/SC reader, with winscard.
 *
 *   cc pin.c $(pkg-config --cflags --libs libpcsclite) -o pin
 *   ./pin READER change OLD NEW      the holder knows the old PIN
 *   ./pin READER reset NEW           the issuer's HSM proves that it may
 *
 * READER is a name as PC/SC lists it. A reset asks the HSM service on port SSCARD_HSM_PORT of this machine (default
 * 8440, started by "sscard hsm serve"), with the token in the file SSCARD_HSM_TOKEN. Exits 1 if the card refuses.
 * PINs on the command line are for test cards.
 */
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <winscard.h>

typedef unsigned char byte;

enum { DES = 0x01, SSF33 = 0x02, SM4 = 0x03, UNNAMED = 0, CHALLENGE = 8, MAC = 4, MAX = 300 };

static const byte SSSE[] = "sx1.sh.\xC9\xE7\xBB\xE1\xB1\xA3\xD5\xCF";
static SCARDHANDLE card;
static SCARD_IO_REQUEST protocol;

static void fail(const char *format, ...) {
    va_list values;
    va_start(values, format);
    vfprintf(stderr, format, values);
    va_end(values);
    fputc('\n', stderr);
    exit(1);
}

static void check(LONG result) {
    if (result != SCARD_S_SUCCESS) fail("PC/SC: %s", pcsc_stringify_error(result));
}

static size_t transmit(const byte *command, size_t length, byte *answer) {
    DWORD received = MAX;
    check(SCardTransmit(card, &protocol, command, length, NULL, answer, &received));
    if (received < 2) fail("the card gave no answer");
    return received;
}

/* The length of the data of an answer with 9000. T=0: fetches data that waits (61xx), repeats a wrong Le (6Cxx). */
static size_t send_command(const byte *command, size_t length, byte *answer) {
    size_t received = transmit(command, length, answer);
    byte sw1 = answer[received - 2], sw2 = answer[received - 1];
    if (sw1 == 0x61) {
        const byte get_response[] = {0x00, 0xC0, 0x00, 0x00, sw2};
        received = transmit(get_response, sizeof get_response, answer);
    } else if (sw1 == 0x6C) {
        byte repeated[MAX];
        memcpy(repeated, command, length);
        repeated[length - 1] = sw2;
        received = transmit(repeated, length, answer);
    }
    sw1 = answer[received - 2], sw2 = answer[received - 1];
    if (sw1 != 0x90 || sw2 != 0x00) fail("the card refused INS %02X: %02X%02X", command[1], sw1, sw2);
    return received - 2;
}

static size_t from_hex(const char *digits, byte *data) {
    size_t length = strlen(digits) / 2;
    for (size_t i = 0; i < length; i++)
        if (sscanf(digits + 2 * i, "%2hhx", &data[i]) != 1) fail("no hex digits");
    return length;
}

static char *to_hex(const byte *data, size_t length, char *digits) {
    for (size_t i = 0; i < length; i++) sprintf(digits + 2 * i, "%02X", data[i]);
    digits[2 * length] = '\0';
    return digits;
}

/* A command of a header in hex, its data and their length. */
static size_t send_data(const char *header, const byte *data, size_t length, byte *answer) {
    byte command[MAX];
    size_t start = from_hex(header, command);
    command[start] = (byte)length;
    memcpy(command + start + 1, data, length);
    return send_command(command, start + 1 + length, answer);
}

static size_t send_hex(const char *digits, byte *answer) {
    byte command[MAX];
    return send_command(command, from_hex(digits, command), answer);
}

/* 4 to 16 digits as BCD, an odd number filled with F; the length. */
static size_t encode_pin(const char *pin, byte *data) {
    char digits[18];
    if (strlen(pin) < 4 || strlen(pin) > 16) fail("a PIN has 4 to 16 digits");
    snprintf(digits, sizeof digits, "%s%s", pin, strlen(pin) % 2 ? "F" : "");
    return from_hex(digits, data);
}

/* An operation of the HSM service: POST /v1/OPERATION; the digits of its {"result": "…"}. */
static char *ask_hsm(const char *operation, const char *fields, char *result) {
    const char *port = getenv("SSCARD_HSM_PORT"), *token_file = getenv("SSCARD_HSM_TOKEN");
    char token[128] = "", message[2048], answer[4096];
    FILE *file = token_file ? fopen(token_file, "r") : NULL;
    if (file == NULL || fscanf(file, "%127s", token) != 1) fail("SSCARD_HSM_TOKEN names no token file");
    fclose(file);
    struct sockaddr_in service = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port ? port : "8440"))};
    service.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int connection = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(connection, (struct sockaddr *)&service, sizeof service)) fail("no HSM: sscard hsm serve");
    int length = snprintf(message, sizeof message,
                          "POST /v1/%s HTTP/1.0\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n"
                          "Content-Length: %zu\r\n\r\n%s",
                          operation, token, strlen(fields), fields);
    if (write(connection, message, (size_t)length) != length) fail("the HSM hung up");
    size_t filled = 0;
    for (ssize_t got; (got = read(connection, answer + filled, sizeof answer - 1 - filled)) > 0;) filled += (size_t)got;
    close(connection);
    answer[filled] = '\0';
    char *found = strstr(answer, "\"result\": \"");
    if (found == NULL || sscanf(found, "\"result\": \"%1023[^\"]", result) != 1) fail("the HSM refused: %s", answer);
    return result;
}

static char *challenge(char *digits) {
    byte answer[MAX];
    return to_hex(answer, send_hex("0084000008", answer), digits);
}

/* Two challenges, the proof of PUK, a challenge, the enciphered new PIN under the MAC of STK. */
static void reset_pin(const byte *serial, int algorithm, const byte *pin, size_t length) {
    byte answer[MAX], proof[MAX];
    char card_fields[128], fields[1024], address[1024], result[1024], original[MAX], factor[MAX], digits[MAX];
    send_hex("00A4020002EF05", answer);
    send_hex("00B2010000", answer);
    char city[7];
    to_hex(answer + 2, 3, city);
    if (algorithm == UNNAMED) algorithm = strncmp(city, "11", 2) == 0 ? SSF33 : DES; /* the HSM refuses SSF33 */
    snprintf(card_fields, sizeof card_fields, "\"algorithm\": %d, \"city_code\": \"%s\", \"serial\": \"%s\"", algorithm,
             city, to_hex(serial, 8, digits));

    ask_hsm("address-of", "{\"key\": \"PUK\"}", address);
    challenge(original);
    challenge(factor);
    snprintf(fields, sizeof fields, "{%s, \"address\": \"%.4s\", \"factor\": \"%.16s\", \"original\": \"%.16s\"}",
             card_fields, address, factor, original);
    send_data("00820006", proof, from_hex(ask_hsm("authentication-data", fields, result), proof), answer);

    size_t block = algorithm == SM4 ? 16 : 8, enciphered = (length + block) / block * block;
    ask_hsm("address-of", "{\"key\": \"STK\"}", address);
    challenge(factor);
    snprintf(fields, sizeof fields,
             "{%s, \"address\": \"%.4s\", \"factor\": \"%.16s\", \"header\": \"84240001%02zX\", \"pin\": \"%s\"}",
             card_fields, address, factor, enciphered + MAC, to_hex(pin, length, digits));
    send_hex(ask_hsm("safe-message", fields, result), answer);
}

int main(int count, char **words) {
    int changing = count == 5 && strcmp(words[2], "change") == 0;
    if (!changing && !(count == 4 && strcmp(words[2], "reset") == 0))
        fail("usage: pin READER change OLD NEW | pin READER reset NEW");

    SCARDCONTEXT context;
    DWORD active;
    byte atr[MAX_ATR_SIZE], fci[MAX], answer[MAX], pin[MAX], new_pin[9];
    DWORD atr_length = sizeof atr;
    check(SCardEstablishContext(SCARD_SCOPE_SYSTEM, NULL, NULL, &context));
    check(SCardConnect(context, words[1], SCARD_SHARE_SHARED, SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1, &card, &active));
    protocol = active == SCARD_PROTOCOL_T1 ? *SCARD_PCI_T1 : *SCARD_PCI_T0;
    check(SCardStatus(card, NULL, NULL, NULL, NULL, atr, &atr_length));
    if (atr_length < 17) fail("not the ATR of a social security card");

    size_t fci_length = send_data("00A40400", SSSE, sizeof SSSE - 1, fci);
    size_t length = encode_pin(words[count - 1], new_pin);
    if (changing) {
        size_t old_length = encode_pin(words[3], pin);
        pin[old_length] = 0xFF;
        memcpy(pin + old_length + 1, new_pin, length);
        send_data("805E0100", pin, old_length + 1 + length, answer);
    } else {
        int algorithm = UNNAMED;
        for (size_t i = 0; i + 5 < fci_length; i++)
            if (memcmp(fci + i, "\x9F\x0C\x03\x86\x01", 5) == 0) algorithm = fci[i + 5];
        reset_pin(atr + 9, algorithm, new_pin, length); /* ATR: 3B 6D 00 00, then 13 historical bytes, the last 8 serial */
    }
    send_data("00200000", new_pin, length, answer);
    printf("PIN %s: done\n", words[2]);
    SCardDisconnect(card, SCARD_UNPOWER_CARD);
    SCardReleaseContext(context);
    return 0;
}
