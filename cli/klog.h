/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel's own words. Device-mapper answers with an errno and writes the reason into the kernel's log; what it wrote
 * there between two moments is the reason of what was asked meanwhile.
 */
#ifndef HS_KLOG_H
#define HS_KLOG_H

#define HS_KLOG_LINE	512

struct hs_klog {
	int fd;			/* -1: the log cannot be read */
	char line[HS_KLOG_LINE];
};

/* From now on. */
void hs_klog_begin(struct hs_klog *klog);
/*
 * The target's error since then, without the name of who logged it; NULL: it wrote none, or the log cannot be read. Where
 * there are several lines that is the one that the table line's constructor gave, else the last.
 */
const char *hs_klog_error(struct hs_klog *klog);
void hs_klog_end(struct hs_klog *klog);

#endif
