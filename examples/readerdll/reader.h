/*
 * A reader library ("reader DLL") for social security cards over winscard, as makers of readers ship it.
 *
 * Every function returns 0, or a negative code: -2 no card, -11 PC/SC failed, -1 not a card of this standard, -21 the
 * card is not genuine, -22 another card than before, -15 an answer of the card is malformed, -33 not a PIN, -99 the
 * host did not answer, otherwise the status word of the card (6983 is -27011). Text is GBK, fields end with '|'.
 */
#ifndef READER_H
#define READER_H

/*
 * The issuer's host, which has the keys. asked is one of
 *   prove|KEY|ALGORITHM|CITY|SERIAL|FACTOR|ORIGINAL|        answered by proof(16 digits) and original data(16)
 *   seal|KEY|ALGORITHM|CITY|SERIAL|FACTOR|HEADER|PIN|       answered by the whole command with MAC
 * Returns 0 after writing at most 255 hex digits into answer.
 */
typedef int (*reader_host)(const char *asked, char *answer);

long reader_open(const char *name);
void reader_close(void);

/* identification code|version|card number|issue date|expiry|ID number|name|sex| into 512 bytes. */
long reader_basic(reader_host host, char *out);
long reader_verify(const char *pin);
long reader_change(const char *old_pin, const char *new_pin);
long reader_reset(reader_host host, const char *new_pin);

#endif
