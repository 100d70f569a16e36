/* SPDX-License-Identifier: MIT
 * A small DNS server on the loopback, in a process of its own, for the tests of the resolver.
 *
 *     int port = dns_serve();
 *     dns_forget();
 *     dns_know("two.test", "192.0.2.1 2001:db8::1", (struct dns_manner){ .delay_ms = 5 });
 *
 * It answers A, AAAA and PTR questions by UDP and TCP; what it does not know does not exist.  It
 * ends when the process does that started it, which has no descriptors of its but one. */
#ifndef TESTS_TASK_DNS_SERVER_H
#define TESTS_TASK_DNS_SERVER_H

/* How a name is answered for. */
struct dns_manner {
    int delay_ms;      /* before an answer by UDP */
    int rcode;         /* 2: SERVFAIL, 5: REFUSED; 0: none */
    int silent;        /* never answers */
    int truncate;      /* by UDP says only that there is more by TCP */
    int garbage;       /* answers with what is no answer */
    const char *alias; /* the name is one for this, whose addresses these are */
};

/* Starts it, before there are threads; returns the port. */
int dns_serve(void);

/* What it knows, from now on. */
void dns_know(const char *name, const char *data, struct dns_manner manner);
void dns_forget(void);

/* How many questions have come, by UDP and by TCP. */
int dns_asked(void);
int dns_asked_by_tcp(void);

#endif
