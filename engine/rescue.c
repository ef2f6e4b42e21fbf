// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "engine/dev.h"

int hs_writeback(const char *origin, const char *cache,
		 hs_progress_fn progress, void *arg, struct hs_error *err)
{
	struct hs_open_opts opts = { .origin = origin, .cache = cache, .mode = -1 };
	struct hs_dev *dev;
	int ret, closed;

	ret = hs_dev_open(&opts, &dev, err);
	if (ret)
		return ret;
	ret = hs_dev_clean(dev, progress, arg, err);
	closed = hs_dev_close(dev, HS_CLOSE_CLEAN, ret ? NULL : err);
	return ret ? ret : closed;
}
