/*
 * libsscarddriver: the functions of sscarddriver.h, asked of "sscard driver serve" in the words of PROTOCOL.md.
 *
 * One connection for the process, under one lock. All text passes as it is: the server knows its encoding.
 *
 *   cc -std=c11 -O2 -shared -fPIC -fvisibility=hidden sscarddriver.c -o libsscarddriver.so -pthread
 *   x86_64-w64-mingw32-gcc -std=c11 -O2 -shared sscarddriver.c -o sscarddriver.dll -lws2_32 -Wl,--kill-at
 */
#define _GNU_SOURCE
#define SSCARD_BUILD
#include "sscarddriver.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(_WIN32)
#include <winsock2.h>
#include <ws2tcpip.h>
#else
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#endif

/* Return codes, from the driver's table. */
enum {
    OK = 0,
    NO_ANSWER = -4,
    LIBRARY = -5,
    READER = -11,
    UNSUPPORTED = -13,
    PARAMETER = -14,
    CHECKSUM = -15,
    LENGTH = -42
};

/* Sizes of the standard's buffers, in bytes. */
enum { CARD_INFO = 128, FILE_ADDRESS = 1024, WRITE_DATA = 20480, PAY_INFO = 512, PIN_TEXT = 16 };
enum { OUT_512 = 512, OUT_1024 = 1024, OUT_2048 = 2048, OUT_20480 = 20480 };

enum { DEFAULT_PORT = 35980, DEFAULT_TIMEOUT = 180, LONGEST_TIMEOUT = 86400, CONNECT_TIMEOUT = 5, START_TIMEOUT = 30 };
enum { LONGEST_REQUEST = 3 * (CARD_INFO + FILE_ADDRESS + WRITE_DATA) + 64, LONGEST_ANSWER = 3 * OUT_20480 + 64 };

/* Descriptions of errors that occur without the server. */
static const struct {
    long code;
    const char *utf8, *gbk;
} DESCRIPTIONS[] = {
    {NO_ANSWER, "卡无应答", "\xBF\xA8\xCE\xDE\xD3\xA6\xB4\xF0"},
    {LIBRARY, "加载动态库错", "\xBC\xD3\xD4\xD8\xB6\xAF\xCC\xAC\xBF\xE2\xB4\xED"},
    {READER, "读写器连接错", "\xB6\xC1\xD0\xB4\xC6\xF7\xC1\xAC\xBD\xD3\xB4\xED"},
    {UNSUPPORTED, "动态库不支持该命令", "\xB6\xAF\xCC\xAC\xBF\xE2\xB2\xBB\xD6\xA7\xB3\xD6\xB8\xC3\xC3\xFC\xC1\xEE"},
    {PARAMETER, "命令参数错", "\xC3\xFC\xC1\xEE\xB2\xCE\xCA\xFD\xB4\xED"},
    {CHECKSUM, "信息校验和出错", "\xD0\xC5\xCF\xA2\xD0\xA3\xD1\xE9\xBA\xCD\xB3\xF6\xB4\xED"},
    {LENGTH, "操作数长度错", "\xB2\xD9\xD7\xF7\xCA\xFD\xB3\xA4\xB6\xC8\xB4\xED"},
};

/* A text parameter and its maximum length. */
struct text {
    const char *value;
    size_t longest;
};

/* --- Differences between systems -------------------------------------------------------------------------------- */

#if defined(_WIN32)

typedef SOCKET handle;
#define NO_HANDLE INVALID_SOCKET
#define SEND_FLAGS 0

static SRWLOCK turn = SRWLOCK_INIT;

static void take_turn(void) { AcquireSRWLockExclusive(&turn); }
static void give_turn(void) { ReleaseSRWLockExclusive(&turn); }
static void close_handle(handle at) { closesocket(at); }
static bool interrupted(void) { return WSAGetLastError() == WSAEINTR; }
static bool in_progress(void) { return WSAGetLastError() == WSAEWOULDBLOCK; }
static bool would_block(void) { return WSAGetLastError() == WSAEWOULDBLOCK; }
static long process(void) { return (long)GetCurrentProcessId(); }
static int64_t now_ms(void) { return (int64_t)GetTickCount64(); }
static int wait_on(struct pollfd *at, int ms) { return WSAPoll(at, 1, ms); }

static handle open_socket(int family) {
    static bool started;
    WSADATA data;
    u_long on = 1;
    handle made;
    if (!started && WSAStartup(MAKEWORD(2, 2), &data) != 0) return NO_HANDLE;
    started = true;
    made = socket(family, SOCK_STREAM, 0);
    if (made != NO_HANDLE) ioctlsocket(made, FIONBIO, &on);
    return made;
}

#else

typedef int handle;
#define NO_HANDLE (-1)
#if defined(MSG_NOSIGNAL)
#define SEND_FLAGS MSG_NOSIGNAL
#else
#define SEND_FLAGS 0
#endif

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

static void take_turn(void) { pthread_mutex_lock(&turn); }
static void give_turn(void) { pthread_mutex_unlock(&turn); }
static void close_handle(handle at) { close(at); }
static bool interrupted(void) { return errno == EINTR; }
static bool in_progress(void) { return errno == EINPROGRESS || errno == EAGAIN; }
static bool would_block(void) { return errno == EAGAIN || errno == EWOULDBLOCK; }
static long process(void) { return (long)getpid(); }
static int wait_on(struct pollfd *at, int ms) { return poll(at, 1, ms); }

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static handle open_socket(int family) {
    handle made = socket(family, SOCK_STREAM, 0);
    if (made == NO_HANDLE) return NO_HANDLE;
    fcntl(made, F_SETFD, FD_CLOEXEC);
    fcntl(made, F_SETFL, fcntl(made, F_GETFL) | O_NONBLOCK);
#if defined(SO_NOSIGPIPE)
    setsockopt(made, SOL_SOCKET, SO_NOSIGPIPE, &(int){1}, sizeof(int));
#endif
    return made;
}

#endif

/* --- The environment -------------------------------------------------------------------------------------------- */

static const char *setting(const char *name, const char *otherwise) {
    const char *given = getenv(name);
    return given != NULL && *given != '\0' ? given : otherwise;
}

static int timeout_ms(void) {
    long seconds = strtol(setting("SSCARD_DRIVER_TIMEOUT", "0"), NULL, 10);
    return 1000 * (int)(seconds > 0 && seconds <= LONGEST_TIMEOUT ? seconds : DEFAULT_TIMEOUT);
}

static bool in_utf8(void) {
    const char *charset = setting("SSCARD_DRIVER_CHARSET", "GBK");
    return strcmp(charset, "UTF-8") == 0 || strcmp(charset, "utf-8") == 0;
}

/* Writes the description of an error of this library into pOutInfo; at most 512 bytes. */
static long fail(char *out, long code) {
    for (size_t i = 0; i < sizeof DESCRIPTIONS / sizeof *DESCRIPTIONS; i++)
        if (DESCRIPTIONS[i].code == code) strcpy(out, in_utf8() ? DESCRIPTIONS[i].utf8 : DESCRIPTIONS[i].gbk);
    return code;
}

/* --- The connection, under the lock ----------------------------------------------------------------------------- */

static handle connection = NO_HANDLE;
static long owner;                    /* the process that opened it: a child after fork() opens its own */
static char line[LONGEST_ANSWER + 1]; /* receive buffer; requests have their own buffer */
static char request[LONGEST_REQUEST + 1];

static void forget(volatile char *text, size_t size) {
    while (size-- > 0) *text++ = 0;
}

static void disconnect(void) {
    if (connection != NO_HANDLE) close_handle(connection);
    connection = NO_HANDLE;
}

#if defined(__GNUC__)
/* Closes the connection when the library is unloaded or the process ends, so that the server notices immediately. */
__attribute__((destructor)) static void leave(void) { disconnect(); }
#endif

/* Waits until a socket is readable or writable; OK, NO_ANSWER or READER. */
static long await(handle at, short events, int64_t deadline) {
    for (;;) {
        struct pollfd waiting = {.fd = at, .events = events};
        int64_t left = deadline - now_ms();
        int ready = wait_on(&waiting, left > 0 ? (int)left : 0);
        if (ready > 0) return OK;
        if (ready == 0) return NO_ANSWER;
        if (!interrupted()) return READER;
    }
}

static long send_all(const char *text, size_t size, int64_t deadline) {
    while (size > 0) {
        long waited = await(connection, POLLOUT, deadline);
        if (waited != OK) return waited;
        long sent = (long)send(connection, text, (int)size, SEND_FLAGS);
        if (sent < 0 && (interrupted() || would_block())) continue;
        if (sent <= 0) return READER;
        text += sent;
        size -= (size_t)sent;
    }
    return OK;
}

/* Receives one line, without its end. More than one line is an invalid answer. */
static long receive_line(int64_t deadline) {
    size_t have = 0;
    while (have < LONGEST_ANSWER) {
        long waited = await(connection, POLLIN, deadline);
        if (waited != OK) return waited;
        long got = (long)recv(connection, line + have, (int)(LONGEST_ANSWER - have), 0);
        if (got < 0 && (interrupted() || would_block())) continue;
        if (got <= 0) return READER;
        char *end = memchr(line + have, '\n', (size_t)got);
        have += (size_t)got;
        if (end != NULL) {
            if (end != line + have - 1 || memchr(line, '\0', have) != NULL) return CHECKSUM;
            *end = '\0';
            return OK;
        }
    }
    return CHECKSUM;
}

static handle connect_to(const struct sockaddr *address, socklen_t size, int family) {
    int failed = 0;
    socklen_t length = sizeof failed;
    handle made = open_socket(family);
    if (made == NO_HANDLE || connect(made, address, size) == 0) return made;
    if (in_progress() && await(made, POLLOUT, now_ms() + CONNECT_TIMEOUT * 1000) == OK &&
        getsockopt(made, SOL_SOCKET, SO_ERROR, (char *)&failed, &length) == 0 && failed == 0)
        return made;
    close_handle(made);
    return NO_HANDLE;
}

static handle connect_port(const char *port) {
    char *end;
    long number = strtol(port, &end, 10);
    if (*port == '\0' || *end != '\0' || number < 1 || number > 65535) return NO_HANDLE;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)number)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    handle made = connect_to((struct sockaddr *)&address, sizeof address, AF_INET);
    if (made != NO_HANDLE) setsockopt(made, IPPROTO_TCP, TCP_NODELAY, (const char *)&(int){1}, sizeof(int));
    return made;
}

#if defined(_WIN32)

static handle connect_anywhere(void) {
    const char *place = getenv("SSCARD_DRIVER");
    char port[16];
    if (place != NULL && *place != '\0') return strncmp(place, "tcp:", 4) == 0 ? connect_port(place + 4) : NO_HANDLE;
    snprintf(port, sizeof port, "%d", DEFAULT_PORT);
    return connect_port(port);
}

static bool start_server(void) { return false; }
static bool may_start(void) { return false; }

#else

static handle connect_path(const char *folder, const char *name) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int length = snprintf(address.sun_path, sizeof address.sun_path, "%s%s", folder, name);
    if (length < 0 || (size_t)length >= sizeof address.sun_path) return NO_HANDLE;
    return connect_to((struct sockaddr *)&address, sizeof address, AF_UNIX);
}

static handle connect_anywhere(void) {
    const char *place = setting("SSCARD_DRIVER", "");
    const char *runtime = setting("XDG_RUNTIME_DIR", "");
    if (strncmp(place, "tcp:", 4) == 0) return connect_port(place + 4);
    if (*place != '\0') return connect_path(place, "");
    return *runtime != '\0' ? connect_path(runtime, "/sscard-driver")
                            : connect_path(setting("HOME", ""), "/.sscard-driver");
}

static bool may_start(void) { return *setting("SSCARD_DRIVER_START", "") != '\0'; }

/* Runs the user's command in the background; the server is ready when the command has printed its first line. */
static bool start_server(void) {
    const char *command = setting("SSCARD_DRIVER_START", "");
    int64_t deadline = now_ms() + START_TIMEOUT * 1000;
    size_t size = strlen(command) + 32;
    bool ready = false;
    char *background = malloc(size);
    if (background == NULL) return false;
    snprintf(background, size, "{ %s\n} </dev/null &", command);
    FILE *said = popen(background, "r");
    free(background);
    if (said == NULL) return false;
    for (char byte = 0; !ready && await(fileno(said), POLLIN, deadline) == OK && read(fileno(said), &byte, 1) == 1;)
        ready = byte == '\n';
    pclose(said); /* the shell has ended; the server keeps running */
    return ready;
}

#endif

/* Opens the connection and sends the first line. */
static long connect_server(void) {
    const char *hello = in_utf8() ? "sscard-driver\t1\tUTF-8\n" : "sscard-driver\t1\tGBK\n";
    int64_t deadline;
    long done;
    connection = connect_anywhere();
    if (connection == NO_HANDLE && may_start()) {
        if (!start_server()) return LIBRARY;
        connection = connect_anywhere();
    }
    if (connection == NO_HANDLE) return READER;
    owner = process();
    deadline = now_ms() + CONNECT_TIMEOUT * 1000;
    done = send_all(hello, strlen(hello), deadline);
    if (done == OK) done = receive_line(deadline);
    if (done != OK) return done;
    if (strncmp(line, "0\t", 2) == 0) return OK;
    return strncmp(line, "-13\t", 4) == 0 ? UNSUPPORTED : CHECKSUM;
}

/* Whether the connection is still usable: no unexpected data and not closed. */
static bool is_connected(void) {
    struct pollfd look = {.fd = connection, .events = POLLIN};
    if (connection == NO_HANDLE || owner != process()) return false;
    return wait_on(&look, 0) == 0;
}

/* --- A call ----------------------------------------------------------------------------------------------------- */

/* Appends a field with its escapes; returns whether it fits. */
static bool add_field(size_t *length, const char *value, size_t longest) {
    static const char DIGITS[] = "0123456789ABCDEF";
    size_t taken = 0;
    for (; value[taken] != '\0'; taken++) {
        unsigned char byte = (unsigned char)value[taken];
        if (taken == longest) return false;
        if (byte >= 0x20 && byte != '%' && byte != 0x7F) {
            request[(*length)++] = (char)byte;
            continue;
        }
        request[(*length)++] = '%';
        request[(*length)++] = DIGITS[byte >> 4];
        request[(*length)++] = DIGITS[byte & 0x0F];
    }
    return true;
}

static int digit(char of) {
    if (of >= '0' && of <= '9') return of - '0';
    if (of >= 'A' && of <= 'F') return of - 'A' + 10;
    return of >= 'a' && of <= 'f' ? of - 'a' + 10 : -1;
}

/* Copies the text of an answer with its escapes decoded; returns whether it is valid and fits. A zero byte ends it. */
static bool copy_text(const char *text, char *out, size_t capacity) {
    size_t written = 0;
    for (; *text != '\0'; text++) {
        char byte = *text;
        if (byte == '\t' || written + 1 == capacity) return false;
        if (byte == '%') {
            int high = digit(text[1]);
            int low = high < 0 ? -1 : digit(text[2]);
            if (low < 0) return false;
            byte = (char)(high << 4 | low);
            text += 2;
        }
        out[written++] = byte;
    }
    out[written] = '\0';
    return true;
}

/* Parses return code and pOutInfo from the line received; returns whether it is a valid answer. */
static bool understand(long *code, char *out, size_t capacity) {
    char *end;
    errno = 0;
    *code = strtol(line, &end, 10);
    if (line[0] != '-' && line[0] != '0') return false; /* strtol would skip spaces */
    return *end == '\t' && errno == 0 && *code <= 0 && copy_text(end + 1, out, capacity);
}

static long converse(size_t length, char *out, size_t capacity) {
    int64_t deadline = now_ms() + timeout_ms();
    long done = OK, code;
    if (!is_connected()) {
        disconnect();
        done = connect_server();
        deadline = now_ms() + timeout_ms();
    }
    if (done == OK) done = send_all(request, length, deadline);
    if (done == OK) done = receive_line(deadline);
    if (done == OK && understand(&code, out, capacity)) return code;
    disconnect();
    return fail(out, done == OK ? CHECKSUM : done);
}

/* Writes the request; OK, or the code of a wrong parameter. */
static long compose(size_t *length, const char *function, const int *numbers, const struct text *texts) {
    *length = (size_t)sprintf(request, "%s", function);
    for (; *numbers != INT_MIN; numbers++) *length += (size_t)sprintf(request + *length, "\t%d", *numbers);
    for (; texts->longest > 0; texts++) {
        if (texts->value == NULL) return PARAMETER;
        request[(*length)++] = '\t';
        if (!add_field(length, texts->value, texts->longest)) return LENGTH;
    }
    request[(*length)++] = '\n';
    return OK;
}

/* Calls a function of the driver: its numbers end with INT_MIN, its texts with one of length 0. */
static long call(const char *function, const int *numbers, const struct text *texts, char *out, size_t capacity) {
    size_t length = 0;
    long done;
    if (out == NULL) return PARAMETER;
    out[0] = '\0';
    take_turn();
    done = compose(&length, function, numbers, texts);
    done = done == OK ? converse(length, out, capacity) : fail(out, done);
    forget(request, sizeof request); /* it may contain a PIN */
    forget(line, sizeof line);
    give_turn();
    return done;
}

#define NUMBERS(...) ((const int[]){__VA_ARGS__, INT_MIN})
#define NO_NUMBER ((const int[]){INT_MIN})
#define TEXTS(...) ((const struct text[]){__VA_ARGS__, {NULL, 0}})
#define NO_TEXT ((const struct text[]){{NULL, 0}})

/* --- The functions ---------------------------------------------------------------------------------------------- */

/* GENERATED by tools/driver_source.py from the table in driver/api.py */

long SSCARD_CALL iReadCardBas(int iType, char *pOutInfo) {
    return call("iReadCardBas", NUMBERS(iType), NO_TEXT, pOutInfo, OUT_1024);
}

long SSCARD_CALL iReadCardBas_HSM_Step1(int iType, char *pOutInfo) {
    return call("iReadCardBas_HSM_Step1", NUMBERS(iType), NO_TEXT, pOutInfo, OUT_1024);
}

long SSCARD_CALL iReadCardBas_HSM_Step2(char *pKey, char *pOutInfo) {
    return call("iReadCardBas_HSM_Step2", NO_NUMBER, TEXTS({pKey, 128}), pOutInfo, OUT_1024);
}

long SSCARD_CALL iReadCard(int iType, int iAuthType, char *pCardInfo, char *pFileAddr, char *pOutInfo) {
    return call("iReadCard", NUMBERS(iType, iAuthType),
                TEXTS({pCardInfo, CARD_INFO}, {pFileAddr, FILE_ADDRESS}), pOutInfo, OUT_20480);
}

long SSCARD_CALL iReadCard_HSM_Step1(int iType, char *pCardInfo, char *pFileAddr, char *pOutInfo) {
    return call("iReadCard_HSM_Step1", NUMBERS(iType),
                TEXTS({pCardInfo, CARD_INFO}, {pFileAddr, FILE_ADDRESS}), pOutInfo, OUT_1024);
}

long SSCARD_CALL iReadCard_HSM_Step2(char *pKey, char *pOutInfo) {
    return call("iReadCard_HSM_Step2", NO_NUMBER, TEXTS({pKey, 32}), pOutInfo, OUT_20480);
}

long SSCARD_CALL iWriteCard(int iType, char *pCardInfo, char *pFileAddr, char *pWriteData, char *pOutInfo) {
    return call("iWriteCard", NUMBERS(iType),
                TEXTS({pCardInfo, CARD_INFO}, {pFileAddr, FILE_ADDRESS}, {pWriteData, WRITE_DATA}), pOutInfo, OUT_1024);
}

long SSCARD_CALL iWriteCard_HSM_Step1(int iType, char *pCardInfo, char *pFileAddr, char *pOutInfo) {
    return call("iWriteCard_HSM_Step1", NUMBERS(iType),
                TEXTS({pCardInfo, CARD_INFO}, {pFileAddr, FILE_ADDRESS}), pOutInfo, OUT_1024);
}

long SSCARD_CALL iWriteCard_HSM_Step2(char *pKey, char *pWriteData, char *pOutInfo) {
    return call("iWriteCard_HSM_Step2", NO_NUMBER, TEXTS({pKey, 32}, {pWriteData, WRITE_DATA}), pOutInfo, OUT_1024);
}

long SSCARD_CALL iVerifyPIN(int iType, char *pOutInfo) {
    return call("iVerifyPIN", NUMBERS(iType), NO_TEXT, pOutInfo, OUT_512);
}

long SSCARD_CALL iVerifyPIN_Digits(int iType, char *pin, char *pOutInfo) {
    return call("iVerifyPIN", NUMBERS(iType), TEXTS({pin, PIN_TEXT}), pOutInfo, OUT_512);
}

long SSCARD_CALL iChangePIN(int iType, char *pOutInfo) {
    return call("iChangePIN", NUMBERS(iType), NO_TEXT, pOutInfo, OUT_512);
}

long SSCARD_CALL iChangePIN_Digits(int iType, char *oldPin, char *newPin, char *pOutInfo) {
    return call("iChangePIN", NUMBERS(iType), TEXTS({oldPin, PIN_TEXT}, {newPin, PIN_TEXT}), pOutInfo, OUT_512);
}

long SSCARD_CALL iReloadPIN(int iType, char *pCardInfo, char *pOutInfo) {
    return call("iReloadPIN", NUMBERS(iType), TEXTS({pCardInfo, CARD_INFO}), pOutInfo, OUT_512);
}

long SSCARD_CALL iReloadPIN_HSM_Step1(int iType, char *pCardInfo, char *pOutInfo) {
    return call("iReloadPIN_HSM_Step1", NUMBERS(iType), TEXTS({pCardInfo, CARD_INFO}), pOutInfo, OUT_512);
}

long SSCARD_CALL iReloadPIN_HSM_Step2(char *pKey, char *pOutInfo) {
    return call("iReloadPIN_HSM_Step2", NO_NUMBER, TEXTS({pKey, 32}), pOutInfo, OUT_1024);
}

long SSCARD_CALL iReloadPIN_HSM_Step2_Digits(char *pKey, char *newPin, char *pOutInfo) {
    return call("iReloadPIN_HSM_Step2", NO_NUMBER, TEXTS({pKey, 32}, {newPin, PIN_TEXT}), pOutInfo, OUT_1024);
}

long SSCARD_CALL iReloadPIN_HSM_Step3(char *pKey, char *pOutInfo) {
    return call("iReloadPIN_HSM_Step3", NO_NUMBER, TEXTS({pKey, 50}), pOutInfo, OUT_1024);
}

long SSCARD_CALL iUnblockPIN(int iType, char *pCardInfo, char *pOutInfo) {
    return call("iUnblockPIN", NUMBERS(iType), TEXTS({pCardInfo, CARD_INFO}), pOutInfo, OUT_512);
}

long SSCARD_CALL iUnblockPIN_HSM_Step1(int iType, char *pCardInfo, char *pOutInfo) {
    return call("iUnblockPIN_HSM_Step1", NUMBERS(iType), TEXTS({pCardInfo, CARD_INFO}), pOutInfo, OUT_512);
}

long SSCARD_CALL iUnblockPIN_HSM_Step2(char *pKey, char *pOutInfo) {
    return call("iUnblockPIN_HSM_Step2", NO_NUMBER, TEXTS({pKey, 32}), pOutInfo, OUT_1024);
}

long SSCARD_CALL iUnblockPIN_HSM_Step3(char *pKey, char *pOutInfo) {
    return call("iUnblockPIN_HSM_Step3", NO_NUMBER, TEXTS({pKey, 18}), pOutInfo, OUT_1024);
}

long SSCARD_CALL iDoDebit(int iType, char *pCardInfo, char *pPayInfo, char *pOutInfo) {
    return call("iDoDebit", NUMBERS(iType), TEXTS({pCardInfo, CARD_INFO}, {pPayInfo, PAY_INFO}), pOutInfo, OUT_512);
}

long SSCARD_CALL iDoDebit_HSM_Step1(int iType, char *pCardInfo, char *pPayInfo, char *pOutInfo) {
    return call("iDoDebit_HSM_Step1", NUMBERS(iType),
                TEXTS({pCardInfo, CARD_INFO}, {pPayInfo, PAY_INFO}), pOutInfo, OUT_512);
}

long SSCARD_CALL iDoDebit_HSM_Step2(char *pKey, char *pOutInfo) {
    return call("iDoDebit_HSM_Step2", NO_NUMBER, TEXTS({pKey, 128}), pOutInfo, OUT_1024);
}

long SSCARD_CALL iReadDebitRecord(int iType, char *pOutInfo) {
    return call("iReadDebitRecord", NUMBERS(iType), NO_TEXT, pOutInfo, OUT_2048);
}

/* END of the generated part */
