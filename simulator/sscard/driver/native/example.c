/*
 * A window program: reads who the card belongs to, then has its holder change the PIN.
 *
 *   sscard driver build                                              puts this file, header and library into a folder
 *   sscard driver serve card.db --psam province --pins 123456,654321,654321
 *   LIB=$(sscard driver path); cc "$(dirname "$LIB")/example.c" "$LIB" -o example
 *   SSCARD_DRIVER_CHARSET=UTF-8 ./example
 */
#include <stdio.h>
#include <string.h>

#include "sscarddriver.h"

enum { AUTOMATIC = 3 };

static const char *const FIELDS[] = {"发卡地区", "社会保障号码", "卡号", "卡识别码", "姓名",      "复位信息",
                                     "规范版本", "发卡日期",     "有效期", "终端机编号", "设备编号"};

/* Prints each field of the basic data; an empty one stays. */
static void print_fields(char *data) {
    for (size_t i = 0; i < sizeof FIELDS / sizeof *FIELDS; i++) {
        char *end = strchr(data, '|');
        if (end == NULL) return;
        *end = '\0';
        printf("%s: %s\n", FIELDS[i], data);
        data = end + 1;
    }
}

static int failed(const char *function, long code, const char *description) {
    printf("%s: %ld %s\n", function, code, description);
    return 1;
}

int main(void) {
    char out[1024];
    long code = iReadCardBas(AUTOMATIC, out);
    if (code != 0) return failed("iReadCardBas", code, out);
    print_fields(out);
    code = iChangePIN(AUTOMATIC, out);
    if (code != 0) return failed("iChangePIN", code, out);
    puts("密码已修改");
    return 0;
}
