#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# fio writes, trims and verifies through a bypass cache far smaller than the disk, so that blocks are
# evicted and written back all the time: random sizes from 512 bytes to 128 KiB, 32 requests in flight.
# Then the origin alone holds the same.
#
# Invariants: 1, 15, 16, 18, 19, 21, 26
. "${0%/*}/../lib/e2e.sh"
fio_verify bypass
