/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A mailbox: where a caller's thread waits for its parked requests, and whoever wakes one leaves
 * it.
 *
 * It lies on the owner's stack and may be gone the instant that the owner has taken the last
 * request. So a sender touches it with one atomic operation, the push itself; the wake-up that may
 * follow uses the address alone.
 */
#ifndef HS_ENGINE_MAIL_H
#define HS_ENGINE_MAIL_H

#include <stdbool.h>
#include <stddef.h>

struct hs_call;

struct hs_mail {
	/* Linked by hs_call.next, newest first; or a mark: the owner sleeps. */
	struct hs_call *head;
};

static inline void hs_mail_init(struct hs_mail *mail)
{
	mail->head = NULL;
}

/* Owner only. A hint: what it misses, hs_mail_take or hs_mail_wait will find. */
static inline bool hs_mail_any(const struct hs_mail *mail)
{
	return __atomic_load_n(&mail->head, __ATOMIC_RELAXED) != NULL;
}

void hs_mail_send(struct hs_mail *mail, struct hs_call *call);
struct hs_call *hs_mail_take(struct hs_mail *mail);	/* owner: all of them, or NULL */
struct hs_call *hs_mail_wait(struct hs_mail *mail);	/* owner: at least one */

#endif
