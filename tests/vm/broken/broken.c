// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* One mistake of each kind, by name: so that it is known that the debug kernel notices them (t/debug-notices.sh). */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/refcount.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

static char *what = "";
module_param(what, charp, 0444);
MODULE_PARM_DESC(what, "freed, beyond, order, sleep, count, leak or hang");

static DEFINE_SPINLOCK(lock_a);
static DEFINE_SPINLOCK(lock_b);
static u8 seen;

static void broken_freed(void)
{
	u8 *p = kzalloc(64, GFP_KERNEL);

	kfree(p);
	if (p)
		seen = READ_ONCE(p[8]);
}

static void broken_beyond(void)
{
	u8 *p = vmalloc(100);

	if (p)
		seen = READ_ONCE(p[104]);
	vfree(p);
}

static void broken_order(void)
{
	spin_lock(&lock_a);
	spin_lock(&lock_b);
	spin_unlock(&lock_b);
	spin_unlock(&lock_a);
	spin_lock(&lock_b);
	spin_lock(&lock_a);
	spin_unlock(&lock_a);
	spin_unlock(&lock_b);
}

static void broken_sleep(void)
{
	spin_lock(&lock_a);
	might_sleep();
	spin_unlock(&lock_a);
}

static void broken_count(void)
{
	static refcount_t count = REFCOUNT_INIT(0);

	refcount_inc(&count);
}

static void broken_leak(void)
{
	u8 *p = kmalloc(4321, GFP_KERNEL);

	if (p)
		WRITE_ONCE(*p, 1);
}

static void broken_hang(void)
{
	ssleep(20);
}

static const struct {
	const char *name;
	void (*fn)(void);
} kinds[] = {
	{ "freed", broken_freed },
	{ "beyond", broken_beyond },
	{ "order", broken_order },
	{ "sleep", broken_sleep },
	{ "count", broken_count },
	{ "leak", broken_leak },
	{ "hang", broken_hang },
};

static int __init broken_init(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (!strcmp(what, kinds[i].name)) {
			kinds[i].fn();
			return 0;
		}
	}
	return -EINVAL;
}

static void __exit broken_exit(void)
{
}

module_init(broken_init);
module_exit(broken_exit);

MODULE_DESCRIPTION("mistakes, for a kernel that should notice them");
MODULE_AUTHOR("hotset authors");
MODULE_LICENSE("Dual BSD/GPL");
