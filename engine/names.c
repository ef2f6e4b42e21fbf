// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <string.h>

#include <hotset/hotset.h>

static const char *const hs_mode_names[HS_MODE_COUNT] = {
	[HS_MODE_WRITEBACK] = "writeback",
	[HS_MODE_WRITETHROUGH] = "writethrough",
	[HS_MODE_WRITEAROUND] = "writearound",
	[HS_MODE_BYPASS] = "bypass",
};

static const char *const hs_reason_names[HS_WHY_COUNT] = {
	[HS_WHY_MODE] = "mode",
	[HS_WHY_SEQUENTIAL] = "sequential",
	[HS_WHY_NO_SLOT] = "no_slot",
	[HS_WHY_DISCARD] = "discard",
	[HS_WHY_ERROR] = "error",
	[HS_WHY_FAILED] = "failed",
};

const char *hs_mode_name(enum hs_mode mode)
{
	return (unsigned int)mode < HS_MODE_COUNT ? hs_mode_names[mode] : "unknown";
}

int hs_mode_parse(const char *name)
{
	int mode;

	for (mode = 0; mode < HS_MODE_COUNT; mode++)
		if (!strcmp(name, hs_mode_names[mode]))
			return mode;
	return -EINVAL;
}

const char *hs_reason_name(enum hs_reason why)
{
	return (unsigned int)why < HS_WHY_COUNT ? hs_reason_names[why] : "unknown";
}
