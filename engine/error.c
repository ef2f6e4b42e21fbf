// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <stdarg.h>
#include <stdio.h>

#include "engine/io.h"

int hs_error_set(struct hs_error *err, int code, const char *fmt, ...)
{
	va_list args;

	if (!err)
		return code;

	va_start(args, fmt);
	vsnprintf(err->msg, sizeof(err->msg), fmt, args);
	va_end(args);
	return code;
}
