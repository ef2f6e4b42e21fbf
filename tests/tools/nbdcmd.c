// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * One NBD request, with no check on this side, so that it is the server that refuses.
 *
 *	nbdcmd URI read|write|trim|zero|flush [OFFSET LENGTH [BYTE]]
 *
 * `read` prints the data. Ends with 1 and the error's name and text on stderr when the server refuses.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libnbd.h>

static int command(struct nbd_handle *nbd, const char *name, uint64_t offset, size_t length, char *buf)
{
	if (!strcmp(name, "read"))
		return nbd_pread(nbd, buf, length, offset, 0);
	if (!strcmp(name, "write"))
		return nbd_pwrite(nbd, buf, length, offset, 0);
	if (!strcmp(name, "trim"))
		return nbd_trim(nbd, length, offset, 0);
	if (!strcmp(name, "zero"))
		return nbd_zero(nbd, length, offset, 0);
	if (!strcmp(name, "flush"))
		return nbd_flush(nbd, 0);
	fprintf(stderr, "nbdcmd: no such command: %s\n", name);
	exit(2);
}

int main(int argc, char **argv)
{
	struct nbd_handle *nbd = nbd_create();
	uint64_t offset = argc > 3 ? strtoull(argv[3], NULL, 0) : 0;
	size_t length = argc > 4 ? strtoull(argv[4], NULL, 0) : 0;
	char *buf = malloc(length + 1);

	if (argc < 3 || !nbd || !buf || nbd_set_strict_mode(nbd, 0) || nbd_connect_uri(nbd, argv[1])) {
		fprintf(stderr, "nbdcmd: %s\n", argc < 3 ? "see the head of its source" : nbd_get_error());
		return 2;
	}
	memset(buf, argc > 5 ? (int)strtol(argv[5], NULL, 0) : 0, length);
	if (command(nbd, argv[2], offset, length, buf)) {
		fprintf(stderr, "%s: %s\n", strerrorname_np(nbd_get_errno()), nbd_get_error());
		return 1;
	}
	if (!strcmp(argv[2], "read"))
		fwrite(buf, 1, length, stdout);
	nbd_shutdown(nbd, 0);
	nbd_close(nbd);
	free(buf);
	return 0;
}
