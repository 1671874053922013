/*
 * A window program that uses the reader library. It carries the strings for the issuer's host: a line on standard
 * output that begins with "host|", answered by a line on standard input; host.py answers them.
 *
 *   cc -shared -fPIC reader.c $(pkg-config --cflags --libs libpcsclite) -o libreader.so
 *   cc window.c ./libreader.so -o window
 *   python host.py ./window READER read
 *   python host.py ./window READER verify PIN
 *   python host.py ./window READER change OLD NEW
 *   python host.py ./window READER reset NEW
 *
 * Prints what it has read; exits 1 with the code of the function that failed. PINs on the command line are for test
 * cards.
 */
#include <stdio.h>
#include <string.h>

#include "reader.h"

static int ask_host(const char *asked, char *answer) {
    printf("host|%s\n", asked);
    fflush(stdout);
    if (fgets(answer, 256, stdin) == NULL) return 1;
    answer[strcspn(answer, "\r\n")] = '\0';
    return *answer == '\0';
}

int main(int count, char **words) {
    char out[512] = "";
    const char *operation = count > 2 ? words[2] : "";
    long code = 1;
    if (count > 2) code = reader_open(words[1]);
    if (code == 0 && strcmp(operation, "read") == 0 && count == 3) code = reader_basic(ask_host, out);
    else if (code == 0 && strcmp(operation, "verify") == 0 && count == 4) code = reader_verify(words[3]);
    else if (code == 0 && strcmp(operation, "change") == 0 && count == 5) code = reader_change(words[3], words[4]);
    else if (code == 0 && strcmp(operation, "reset") == 0 && count == 4) code = reader_reset(ask_host, words[3]);
    else if (code == 0) code = 1;
    if (count > 2) reader_close();
    if (code > 0) fprintf(stderr, "usage: window READER read | verify PIN | change OLD NEW | reset NEW\n");
    else if (code < 0) fprintf(stderr, "%s: %ld\n", operation, code);
    else printf("%s: done %s\n", operation, out);
    return code != 0;
}
