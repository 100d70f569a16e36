/* SPDX-License-Identifier: MIT
 * Addresses as bytes and as text. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>
#include <weft/address.h>

static bool reads_as(const weft_address *address, const char *expected)
{
    char text[WEFT_ADDRESS_TEXT];
    int n = weft_address_format(address, text, sizeof text);

    return n == (int)strlen(expected) && strcmp(text, expected) == 0;
}

static void numbers_become_addresses_and_text_again(void)
{
    static const struct {
        const char *host;
        int port;
        const char *text;
    } all[] = {
        { "127.0.0.1", 80, "127.0.0.1:80" },  { "255.255.255.255", 65535, "255.255.255.255:65535" },
        { NULL, 0, "0.0.0.0:0" },             { "::1", 443, "[::1]:443" },
        { "2001:db8:0:0::7", 1, "[2001:db8::7]:1" }, { "fe80::1%lo", 2, "[fe80::1%lo]:2" },
        { "fe80::1%1", 2, "[fe80::1%lo]:2" }, { "fe80::1%4000000", 2, "[fe80::1%4000000]:2" },
    };

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        weft_address address;

        CU_ASSERT(weft_address_parse(all[i].host, all[i].port, &address) == 0);
        CU_ASSERT(reads_as(&address, all[i].text));
        CU_ASSERT(weft_address_port(&address) == all[i].port);
        CU_ASSERT(address.sockaddr.sa_family == address.family);
        CU_ASSERT(address.type == 0);
    }
}

static void what_is_not_numeric_is_refused_and_nothing_written(void)
{
    static const char *const bad[] = { "", "localhost", "1.2.3", "1.2.3.4.5", ":::", "::1%",
                                       "256.1.1.1", "[::1]", "::1:2:3:4:5:6:7:8:9",
                                       "fe80::00000000000000000000000000000000000000000000001" };
    weft_address address, before;

    memset(&address, 7, sizeof address);
    before = address;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int r = weft_address_parse(bad[i], 1, &address);

        CU_ASSERT(r == -EINVAL || (strchr(bad[i], '%') && r == -ENODEV));
    }
    CU_ASSERT(weft_address_parse("::1%no-such-link", 1, &address) == -ENODEV);
    CU_ASSERT(weft_address_parse("::1%-1", 1, &address) == -ENODEV);
    CU_ASSERT(weft_address_parse("::1", 65536, &address) == -EINVAL);
    CU_ASSERT(weft_address_parse("::1", -1, &address) == -EINVAL);
    CU_ASSERT(weft_address_parse("::1", 1, NULL) == -EINVAL);
    CU_ASSERT(weft_address_unix(NULL, &address) == -EINVAL);
    CU_ASSERT(weft_address_unix("x", NULL) == -EINVAL);
    CU_ASSERT(memcmp(&address, &before, sizeof address) == 0);
}

static void paths_and_abstract_names_are_unix_addresses(void)
{
    char path[sizeof(((struct sockaddr_un *)0)->sun_path) + 1];
    weft_address address;

    CU_ASSERT(weft_address_unix("/run/weft.sock", &address) == 0);
    CU_ASSERT(reads_as(&address, "/run/weft.sock"));
    CU_ASSERT(weft_address_port(&address) == 0);
    CU_ASSERT(weft_address_unix("@name", &address) == 0);
    CU_ASSERT(address.length == offsetof(struct sockaddr_un, sun_path) + 5);
    CU_ASSERT(reads_as(&address, "@name"));
    CU_ASSERT(weft_address_unix("", &address) == 0);
    CU_ASSERT(address.length == offsetof(struct sockaddr_un, sun_path));
    CU_ASSERT(reads_as(&address, ""));
    memset(path, 'p', sizeof path);
    path[sizeof path - 1] = '\0';
    CU_ASSERT(weft_address_unix(path, &address) == -ENAMETOOLONG);
    path[sizeof path - 2] = '\0';
    CU_ASSERT(weft_address_unix(path, &address) == 0);
    CU_ASSERT(reads_as(&address, path));
}

static void a_text_that_does_not_fit_is_not_cut(void)
{
    weft_address address, odd = { .family = 16 };
    char text[16] = "untouched";

    CU_ASSERT(weft_address_parse("127.0.0.1", 80, &address) == 0);
    CU_ASSERT(weft_address_format(&address, text, 12) == -ENOSPC);
    CU_ASSERT(strcmp(text, "untouched") == 0);
    CU_ASSERT(weft_address_format(&address, text, 13) == 12);
    CU_ASSERT(weft_address_format(NULL, text, 13) == -EINVAL);
    CU_ASSERT(weft_address_format(&address, NULL, 13) == -EINVAL);
    CU_ASSERT(reads_as(&odd, "family 16"));
}

static void addresses_are_equal_when_they_name_the_same_place(void)
{
    static const char *const hosts[] = { "127.0.0.1", "127.0.0.2", "::1", "fe80::1%1", "fe80::1" };
    weft_address all[10];

    for (size_t i = 0; i < 10; i++) {
        CU_ASSERT(weft_address_parse(hosts[i / 2], 80 + (int)i % 2, &all[i]) == 0);
    }
    for (size_t i = 0; i < 10; i++) {
        for (size_t j = 0; j < 10; j++) {
            weft_address copy = all[j];

            copy.type = SOCK_DGRAM;
            CU_ASSERT(weft_address_equal(&all[i], &copy) == (i == j));
        }
    }
    CU_ASSERT(weft_address_unix("@a", &all[0]) == 0);
    CU_ASSERT(weft_address_unix("@b", &all[1]) == 0);
    CU_ASSERT(!weft_address_equal(&all[0], &all[1]));
    CU_ASSERT(weft_address_equal(&all[0], &all[0]));
    CU_ASSERT(!weft_address_equal(&all[0], NULL));
}

static CU_TestInfo tests[] = {
    WEFT_UNIT_TEST(numbers_become_addresses_and_text_again),
    WEFT_UNIT_TEST(what_is_not_numeric_is_refused_and_nothing_written),
    WEFT_UNIT_TEST(paths_and_abstract_names_are_unix_addresses),
    WEFT_UNIT_TEST(a_text_that_does_not_fit_is_not_cut),
    WEFT_UNIT_TEST(addresses_are_equal_when_they_name_the_same_place),
    CU_TEST_INFO_NULL,
};

WEFT_UNIT_MAIN(io_address, tests)
