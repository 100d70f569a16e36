/* SPDX-License-Identifier: MIT
 * What the system says comes back as it is: of paths, files and sockets. */
#include "tests/task/scratch.h"
#include "tests/task/transport.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

IN_TASK(paths_that_lead_nowhere)
{
    struct stat info;
    weft_buffer text = { 0 };
    const char *file = file_of("file", "text"), *loops = scratch("loops"), *full = scratch("full");
    const char *inside = scratch("full/inside"), *no = scratch("no/such"),
               *under = scratch("file/x");

    EQUAL(weft_symlink(loops, loops), 0);
    EQUAL(weft_mkdir(full, 0755), 0);
    EQUAL(weft_mkdir(inside, 0755), 0);
    EQUAL(weft_stat(under, &info), -ENOTDIR);
    EQUAL(weft_symlink("x", no), -ENOENT);
    EQUAL(weft_readlink(no, &text), -ENOENT);
    EQUAL(weft_chmod(no, 0644), -ENOENT);
    EQUAL(weft_file_open(loops, O_RDONLY, 0), -ELOOP);
    EQUAL(weft_realpath(loops, &text), -ELOOP);
    EQUAL(weft_rename(file, full), -EISDIR);
    EQUAL(weft_rename(inside, full), -ENOTEMPTY);
    EQUAL(weft_unlink(full), -EISDIR);
    EQUAL(weft_link(full, scratch("again")), -EPERM); /* a directory */
    EQUAL(text.len, 0);
    clear_away(scratch(""));
    mkdir(scratch(""), 0755);
}

IN_TASK(files_of_the_wrong_kind)
{
    int ends[2], directory = open(scratch(""), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int file = open(file_of("some", "text"), O_RDWR | O_CLOEXEC);
    char text[8];

    EQUAL(pipe(ends), 0);
    EQUAL(weft_file_read(directory, text, 1), -EISDIR);
    EQUAL(weft_file_pread(ends[0], text, 1, 0), -ESPIPE);
    EQUAL(weft_file_seek(ends[0], 0, SEEK_SET), -ESPIPE);
    EQUAL(weft_file_seek(file, 100, SEEK_DATA), -ENXIO);
    EQUAL(weft_file_fsync(ends[0]), -EINVAL);
    close(ends[0]);
    EQUAL(weft_file_write(ends[1], "a", 1), -EPIPE);
    close(ends[1]);
    close(directory);
    close(file);
    EQUAL(weft_access("/proc/version", W_OK), geteuid() ? -EACCES : 0);
}

/* What is forbidden. */

static char secret[200], foreign[200];

WEFT_ASYNC(is_forbidden)
{
    struct stat info;
    weft_buffer real = { 0 };
    weft_stream *stream = NULL;
    char path[300];

    (void)snprintf(path, sizeof path, "%s/x", secret);
    EQUAL(weft_stat(path, &info), -EACCES);
    EQUAL(weft_unlink(path), -EACCES);
    EQUAL(weft_mkdir(path, 0755), -EACCES);
    EQUAL(weft_makedirs(path, 0755), -EACCES);
    EQUAL(weft_realpath(path, &real), -EACCES);
    EQUAL(weft_rename(path, foreign), -EACCES);
    EQUAL(weft_copy_file(path, foreign, NULL), -EACCES);
    EQUAL(weft_temp_file(secret), -EACCES);
    if (watches()) {
        EQUAL(weft_open_unix_connection(path, NULL, &stream), -EACCES);
    }
    return 0;
}

static weft_coro *forbidden(void)
{
    return is_forbidden();
}

ALONE(what_is_forbidden_is_said)
{
    (void)snprintf(secret, sizeof secret, "%s", scratch("secret"));
    (void)snprintf(foreign, sizeof foreign, "%s", scratch("foreign"));
    EQUAL(mkdir(secret, 0000), 0); /* his own, and yet */
    without_rights(forbidden);
    EQUAL(rmdir(secret), 0);
}

/* Datagrams. */

IN_TASK(datagrams_that_cannot_go)
{
    weft_datagram *socket = NULL, *other = NULL;
    weft_address local, there, nowhere, six, path;
    char bytes[8];

    if (!watches()) {
        return;
    }
    EQUAL(weft_address_parse("127.0.0.1", 0, &local), 0);
    EQUAL(weft_address_parse("::1", 9, &six), 0);
    EQUAL(weft_address_parse("192.0.2.1", 0, &nowhere), 0);
    EQUAL(weft_address_unix(scratch("socket"), &path), 0);
    EQUAL(weft_datagram_open(&nowhere, NULL, NULL, &socket), -EADDRNOTAVAIL);
    EQUAL(weft_datagram_open(NULL, &path, NULL, &socket), -ENOENT);
    EQUAL(weft_datagram_open(&local, NULL, NULL, &other), 0);
    EQUAL(weft_datagram_sockname(other, &there), 0);
    EQUAL(weft_datagram_send(other, "a", 1), -EDESTADDRREQ);
    EQUAL(weft_datagram_join(other, &six, NULL), -EAFNOSUPPORT);
    EQUAL(weft_datagram_open(NULL, &there, NULL, &socket), 0);
    weft_datagram_close(other);
    EQUAL(weft_datagram_send(socket, "a", 1), 1);
    EQUAL(weft_datagram_recvfrom(socket, bytes, 1, NULL), -ECONNREFUSED);
    weft_datagram_close(socket);
}

IN_TASK(datagrams_of_unix_that_cannot_go)
{
    weft_datagram *a = NULL, *b = NULL, *none = NULL;
    weft_address first, second, third;
    const char *nobody = scratch("third");
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (!watches()) {
        close(fd);
        return;
    }
    EQUAL(weft_address_unix(scratch("first"), &first), 0);
    EQUAL(weft_address_unix(scratch("second"), &second), 0);
    EQUAL(weft_address_unix(nobody, &third), 0);
    EQUAL(bind(fd, (struct sockaddr *)&third.storage, third.length), 0);
    close(fd);
    EQUAL(weft_datagram_open(&first, NULL, NULL, &a), 0);
    EQUAL(weft_datagram_open(&second, &second, NULL, &b), 0);
    EQUAL(weft_datagram_open(NULL, &third, NULL, &none), -ECONNREFUSED);
    EQUAL(weft_datagram_sendto(a, "a", 1, &third), -ECONNREFUSED);
    EQUAL(weft_datagram_sendto(a, "a", 1, &second), -EPERM); /* it hears itself alone */
    unlink(nobody);
    EQUAL(weft_datagram_sendto(a, "a", 1, &third), -ENOENT);
    EQUAL(weft_datagram_set_multicast(a, 1, true, NULL), -EOPNOTSUPP);
    weft_datagram_close(a);
    weft_datagram_close(b);
    unlink(scratch("first"));
    unlink(scratch("second"));
    CHECK(!none);
}

/* Unix sockets. */

WEFT_ASYNC(serves, (weft_stream *, stream), (void *, user))
{
    (void)stream, (void)user;
    return 0;
}

IN_TASK(unix_sockets_that_are_not_there)
{
    char longest[300];
    weft_stream *stream = NULL;
    weft_server *server = NULL;
    weft_transport *transport = NULL;
    weft_address address;
    const char *nobody = scratch("nobody"), *nowhere = scratch("no/such");
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct stat info;

    if (!watches()) {
        close(fd);
        return;
    }
    memset(longest, 'x', sizeof longest - 1);
    longest[0] = '/', longest[sizeof longest - 1] = '\0';
    EQUAL(weft_open_unix_connection(longest, NULL, &stream), -ENAMETOOLONG);
    EQUAL(weft_start_unix_server(serves, NULL, longest, NULL, &server), -ENAMETOOLONG);
    EQUAL(weft_start_unix_server(serves, NULL, nowhere, NULL, &server), -ENOENT);
    EQUAL(weft_loop_create_unix_connection(NULL, &noting, NULL, longest, &transport),
          -ENAMETOOLONG);
    EQUAL(weft_address_unix(nobody, &address), 0);
    EQUAL(bind(fd, (struct sockaddr *)&address.storage, address.length), 0);
    EQUAL(weft_loop_create_unix_connection(NULL, &noting, NULL, nobody, &transport), -EPROTOTYPE);
    close(fd);
    EQUAL(weft_open_unix_connection(nobody, NULL, &stream), -ECONNREFUSED);
    EQUAL(stat(nobody, &info), 0);
    unlink(nobody);
    CHECK(!stream && !server && !transport);
}

static CU_TestInfo tests[] = {
    TEST(paths_that_lead_nowhere),
    TEST(files_of_the_wrong_kind),
    TEST(what_is_forbidden_is_said),
    TEST(datagrams_that_cannot_go),
    TEST(datagrams_of_unix_that_cannot_go),
    TEST(unix_sockets_that_are_not_there),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(system_errors, tests)
