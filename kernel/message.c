// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Messages:
 *
 *	mode <mode>		changes the mode; complete when mode_durable in the status says so
 *	set <key> <value>	seq_cutoff, dirty_age, dirty_limit, writeback, mode
 *	flush			writes back everything that is dirty; returns when that is done
 *	drop			forgets everything that is clean
 *	stats reset		counters start again from zero
 *	abandon			on a failed cache device: whoever sends it has recorded, durably, that this cache
 *				must not be used again; writes may now pass by the names on it
 */
#include <linux/string.h>

#include "kernel/dm.h"

static int hs_message_mode(struct hs_dm *dm, const char *name)
{
	int mode = hs_mode_by_name(name), ret;

	if (mode < 0) {
		DMERR("mode %s: want writeback, writethrough, writearound or bypass", name);
		return -EINVAL;
	}
	mutex_lock(&dm->control);
	ret = hs_dm_set_mode(dm, (enum hs_mode)mode);
	mutex_unlock(&dm->control);
	return ret;
}

static int hs_message_set(struct hs_dm *dm, const char *key, const char *value)
{
	char *why;
	int ret;

	if (!strcmp(key, "mode"))
		return hs_message_mode(dm, value);
	mutex_lock(&dm->control);
	ret = hs_option_set(&dm->opts, key, value, &why);
	if (!ret)
		hs_dm_tune(dm);
	mutex_unlock(&dm->control);
	if (ret == -ENOENT)
		DMERR("no setting %s: there are mode, seq_cutoff, dirty_age, dirty_limit, writeback", key);
	else if (ret)
		DMERR("%s=%s: %s", key, value, why);
	return ret;
}

static int hs_message_reset(struct hs_dm *dm)
{
	mutex_lock(&dm->control);
	hs_dm_count(dm, &dm->base);
	mutex_unlock(&dm->control);
	return 0;
}

static int hs_message_abandon(struct hs_dm *dm)
{
	struct hs_out out;

	if (!hs_core_failed(dm->core))
		return -EINVAL;
	hs_out_init(&out);
	spin_lock_irq(hs_dm_lock(dm, (s32)dm->shards));
	hs_core_abandon(dm->core, &out);
	hs_dm_dispatch(dm, &out);
	spin_unlock_irq(hs_dm_lock(dm, (s32)dm->shards));
	return 0;
}

int hs_message(struct dm_target *ti, unsigned int argc, char **argv, char *result, unsigned int maxlen)
{
	struct hs_dm *dm = ti->private;

	if (dm->state != HS_DM_LIVE)
		return -EAGAIN;
	if (argc == 2 && !strcasecmp(argv[0], "mode"))
		return hs_message_mode(dm, argv[1]);
	if (argc == 3 && !strcasecmp(argv[0], "set"))
		return hs_message_set(dm, argv[1], argv[2]);
	if (argc == 1 && !strcasecmp(argv[0], "flush"))
		return hs_dm_clean(dm);
	if (argc == 1 && !strcasecmp(argv[0], "drop")) {
		hs_dm_drop(dm);
		return 0;
	}
	if (argc == 2 && !strcasecmp(argv[0], "stats") && !strcasecmp(argv[1], "reset"))
		return hs_message_reset(dm);
	if (argc == 1 && !strcasecmp(argv[0], "abandon"))
		return hs_message_abandon(dm);
	DMERR("no such message: there are mode, set, flush, drop, stats reset, abandon");
	return -EINVAL;
}
