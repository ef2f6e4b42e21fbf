/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a server says to its operator: on stderr in the foreground, through syslog otherwise. */
#ifndef HS_LOG_H
#define HS_LOG_H

/* Called once it is known that nbdkit is not in the foreground: its stderr leads nowhere. */
void hs_log_to_syslog(void);

void hs_log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void hs_log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* For errors of single requests: one line a second, then how many went unsaid. */
void hs_log_request(const char *what, unsigned long long count, unsigned long long offset, int err);

#endif
