// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Says once what the CRC32C of 4 KiB costs, in nanoseconds, and then refuses to stay. */
#include <linux/crc32c.h>
#include <linux/irqflags.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/slab.h>

#define ROUNDS	1000u

static int __init crc_cost_init(void)
{
	u8 *data = kzalloc(4096, GFP_KERNEL);
	unsigned long flags;
	u32 i, crc = 0;
	u64 begun;

	if (!data)
		return -ENOMEM;
	crc = crc32c(crc, data, 4096);
	local_irq_save(flags);
	begun = ktime_get_ns();
	for (i = 0; i < ROUNDS; i++)
		crc = crc32c(crc, data, 4096);
	begun = ktime_get_ns() - begun;
	local_irq_restore(flags);
	pr_info("crc-cost: %llu ns (%08x)\n", begun / ROUNDS, crc);
	kfree(data);
	return -EAGAIN;
}

module_init(crc_cost_init);
MODULE_DESCRIPTION("cost of a checksum");
MODULE_LICENSE("Dual BSD/GPL");
