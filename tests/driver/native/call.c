/*
 * For the tests: calls functions of the driver as the arguments say, each as FUNCTION PARAMETER..., separated by '/',
 * and prints a line per call: code, TAB, pOutInfo. "threads N M FUNCTION NUMBER" calls one M times in each of N threads
 * and prints how often each code came. pOutInfo is exactly as large as the header says: a sanitiser sees a byte beyond.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sscarddriver.h"

#define IS(name) (strcmp(words[0], #name) == 0)
#define N(i) atoi(words[i])
#define T(i) (strcmp(words[i], "NULL") == 0 ? NULL : words[i])
#define CALL(size, ...)                       \
    do {                                      \
        out = malloc(size);                   \
        memset(out, 'x', size);               \
        code = __VA_ARGS__;                   \
        if (memchr(out, 0, size) == NULL) abort(); \
    } while (0)

static long call(char **words, char **text) {
    char *out = NULL;
    long code = 1;
    if (IS(iReadCardBas)) CALL(1024, iReadCardBas(N(1), out));
    if (IS(iReadCardBas_HSM_Step1)) CALL(1024, iReadCardBas_HSM_Step1(N(1), out));
    if (IS(iReadCardBas_HSM_Step2)) CALL(1024, iReadCardBas_HSM_Step2(T(1), out));
    if (IS(iReadCard)) CALL(20480, iReadCard(N(1), N(2), T(3), T(4), out));
    if (IS(iReadCard_HSM_Step1)) CALL(1024, iReadCard_HSM_Step1(N(1), T(2), T(3), out));
    if (IS(iReadCard_HSM_Step2)) CALL(20480, iReadCard_HSM_Step2(T(1), out));
    if (IS(iWriteCard)) CALL(1024, iWriteCard(N(1), T(2), T(3), T(4), out));
    if (IS(iWriteCard_HSM_Step1)) CALL(1024, iWriteCard_HSM_Step1(N(1), T(2), T(3), out));
    if (IS(iWriteCard_HSM_Step2)) CALL(1024, iWriteCard_HSM_Step2(T(1), T(2), out));
    if (IS(iVerifyPIN)) CALL(512, iVerifyPIN(N(1), out));
    if (IS(iChangePIN)) CALL(512, iChangePIN(N(1), out));
    if (IS(iVerifyPIN_Digits)) CALL(512, iVerifyPIN_Digits(N(1), T(2), out));
    if (IS(iChangePIN_Digits)) CALL(512, iChangePIN_Digits(N(1), T(2), T(3), out));
    if (IS(iReloadPIN_HSM_Step2_Digits)) CALL(1024, iReloadPIN_HSM_Step2_Digits(T(1), T(2), out));
    if (IS(iReloadPIN)) CALL(512, iReloadPIN(N(1), T(2), out));
    if (IS(iReloadPIN_HSM_Step1)) CALL(512, iReloadPIN_HSM_Step1(N(1), T(2), out));
    if (IS(iReloadPIN_HSM_Step2)) CALL(1024, iReloadPIN_HSM_Step2(T(1), out));
    if (IS(iReloadPIN_HSM_Step3)) CALL(1024, iReloadPIN_HSM_Step3(T(1), out));
    if (IS(iUnblockPIN)) CALL(512, iUnblockPIN(N(1), T(2), out));
    if (IS(iUnblockPIN_HSM_Step1)) CALL(512, iUnblockPIN_HSM_Step1(N(1), T(2), out));
    if (IS(iUnblockPIN_HSM_Step2)) CALL(1024, iUnblockPIN_HSM_Step2(T(1), out));
    if (IS(iUnblockPIN_HSM_Step3)) CALL(1024, iUnblockPIN_HSM_Step3(T(1), out));
    if (IS(iDoDebit)) CALL(512, iDoDebit(N(1), T(2), T(3), out));
    if (IS(iDoDebit_HSM_Step1)) CALL(512, iDoDebit_HSM_Step1(N(1), T(2), T(3), out));
    if (IS(iDoDebit_HSM_Step2)) CALL(1024, iDoDebit_HSM_Step2(T(1), out));
    if (IS(iReadDebitRecord)) CALL(2048, iReadDebitRecord(N(1), out));
    *text = out;
    return code;
}

static void print_call(char **words) {
    char *out;
    long code = call(words, &out);
    printf("%ld\t%s\n", code, out == NULL ? "" : out);
    fflush(stdout);
    free(out);
}

struct work {
    char **words;
    int times;
    int codes[100];
};

static void *work(void *given) {
    struct work *mine = given;
    for (int i = 0; i < mine->times; i++) {
        char *out;
        long code = call(mine->words, &out);
        mine->codes[code <= 0 && code > -99 ? -code : 99]++;
        free(out);
    }
    return NULL;
}

static int in_threads(int count, int times, char **words) {
    pthread_t threads[64];
    struct work works[64] = {0};
    int codes[100] = {0};
    for (int i = 0; i < count; i++) {
        works[i] = (struct work){.words = words, .times = times};
        pthread_create(&threads[i], NULL, work, &works[i]);
    }
    for (int i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
        for (int code = 0; code < 100; code++) codes[code] += works[i].codes[code];
    }
    for (int code = 0; code < 100; code++)
        if (codes[code] > 0) printf("%d\t%d\n", -code, codes[code]);
    return 0;
}

int main(int count, char **words) {
    if (count > 4 && strcmp(words[1], "threads") == 0) return in_threads(atoi(words[2]), atoi(words[3]), words + 4);
    for (int first = 1, i = 1; i <= count; i++) {
        if (i < count && strcmp(words[i], "/") != 0) continue;
        if (strcmp(words[first], "fork") == 0) {
            pid_t child = fork();
            if (child > 0) return waitpid(child, NULL, 0) == child ? 0 : 1;
        } else if (strcmp(words[first], "pause") == 0) {
            getchar();
        } else {
            print_call(words + first);
        }
        first = i + 1;
    }
    return 0;
}
