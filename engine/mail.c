// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/call.h"
#include "engine/mail.h"

/*
 * Never a pointer, and its low 32 bits are unlike those of any aligned pointer: the futex compares
 * them.
 */
#define HS_MAIL_ASLEEP	((struct hs_call *)1)

static u32 *hs_mail_word(struct hs_mail *mail)
{
	u32 *word = (u32 *)&mail->head;

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ && __SIZEOF_POINTER__ == 8
	word++;
#endif
	return word;
}

void hs_mail_send(struct hs_mail *mail, struct hs_call *call)
{
	u32 *word = hs_mail_word(mail);
	struct hs_call *old = __atomic_load_n(&mail->head, __ATOMIC_RELAXED);

	do
		call->next = old == HS_MAIL_ASLEEP ? NULL : old;
	while (!__atomic_compare_exchange_n(&mail->head, &old, call, true, __ATOMIC_RELEASE,
					    __ATOMIC_RELAXED));
	if (old == HS_MAIL_ASLEEP)
		syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

struct hs_call *hs_mail_take(struct hs_mail *mail)
{
	struct hs_call *all = __atomic_exchange_n(&mail->head, NULL, __ATOMIC_ACQUIRE);

	return all == HS_MAIL_ASLEEP ? NULL : all;
}

struct hs_call *hs_mail_wait(struct hs_mail *mail)
{
	for (;;) {
		struct hs_call *none = NULL, *all = hs_mail_take(mail);

		if (all)
			return all;
		if (__atomic_compare_exchange_n(&mail->head, &none, HS_MAIL_ASLEEP, false,
						__ATOMIC_RELAXED, __ATOMIC_RELAXED))
			syscall(SYS_futex, hs_mail_word(mail), FUTEX_WAIT_PRIVATE,
				(u32)(uintptr_t)HS_MAIL_ASLEEP, NULL, NULL, 0);
	}
}
