// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * See klog.h. Of the kernel's lines these two concern us:
 *
 *	device-mapper: hotset: WHAT			an error of the target's; its level is error
 *	device-mapper: table: 253:0: hotset: WHAT (-EINVAL)	why its constructor refused
 */
#include "klog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dm.h"

#define RECORD_MAX	8192
#define LEVEL_MASK	7
#define LEVEL_ERROR	3
#define PREFIX		"device-mapper: "
#define PREFIX_OURS	PREFIX "hotset: "
#define PREFIX_TABLE	PREFIX "table: "

void hs_klog_begin(struct hs_klog *klog)
{
	klog->line[0] = 0;
	klog->fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (klog->fd >= 0 && lseek(klog->fd, 0, SEEK_END) < 0)
		hs_klog_end(klog);
}

void hs_klog_end(struct hs_klog *klog)
{
	if (klog->fd >= 0)
		close(klog->fd);
	klog->fd = -1;
}

/* "253:0: hotset: WHAT (-EINVAL)" becomes WHAT; NULL: another target's. */
static char *table_reason(char *text)
{
	char mark[64], *reason, *end;

	snprintf(mark, sizeof(mark), ": %s: ", hs_dm_target());
	reason = strstr(text, mark);
	if (!reason)
		return NULL;
	reason += strlen(mark);
	end = strrchr(reason, '(');
	if (end && end > reason && end[1] == '-')
		end[-1] = 0;
	return reason;
}

/* A record is "level,number,time,flags;text\n" and lines of other things. True: it says all there is to say. */
static bool record_take(struct hs_klog *klog, char *record)
{
	unsigned long level = strtoul(record, NULL, 10) & LEVEL_MASK;
	char *text = strchr(record, ';'), *reason;

	if (!text || level > LEVEL_ERROR)
		return false;
	text++;
	text[strcspn(text, "\n")] = 0;
	if (!strncmp(text, PREFIX_OURS, strlen(PREFIX_OURS)))
		snprintf(klog->line, sizeof(klog->line), "%s", text + strlen(PREFIX_OURS));
	if (strncmp(text, PREFIX_TABLE, strlen(PREFIX_TABLE)))
		return false;
	reason = table_reason(text + strlen(PREFIX_TABLE));
	if (reason)
		snprintf(klog->line, sizeof(klog->line), "%s", reason);
	return reason;
}

const char *hs_klog_error(struct hs_klog *klog)
{
	char record[RECORD_MAX];
	ssize_t n;

	while (klog->fd >= 0) {
		n = read(klog->fd, record, sizeof(record) - 1);
		/* Records that were overwritten before they were read are passed over. */
		if (n < 0 && (errno == EPIPE || errno == EINTR))
			continue;
		if (n <= 0)
			break;
		record[n] = 0;
		if (record_take(klog, record))
			break;
	}
	return klog->line[0] ? klog->line : NULL;
}
