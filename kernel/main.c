// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <linux/module.h>

#include "kernel/dm.h"

static char *target_name = "hotset";
module_param(target_name, charp, 0444);
MODULE_PARM_DESC(target_name, "Name of the target; \"cache\" takes the ancestor's table lines where the in-tree dm-cache is not loaded");

static int __init hs_module_init(void)
{
	int ret;

	hs_target.name = target_name;
	ret = dm_register_target(&hs_target);
	if (ret)
		DMERR("the target cannot be registered as %s: error %d", target_name, ret);
	return ret;
}

static void __exit hs_module_exit(void)
{
	dm_unregister_target(&hs_target);
}

module_init(hs_module_init);
module_exit(hs_module_exit);

MODULE_DESCRIPTION("device-mapper target: a block-level disk cache");
MODULE_AUTHOR("hotset authors");
MODULE_LICENSE("Dual BSD/GPL");
MODULE_SOFTDEP("pre: crc32c");
