# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# A cache goes from the kernel to `hotset serve` and back, and again, by commands alone: clean, and after the server was
# killed. Nothing is lost, nobody takes the origin for a changed one, and the statistics of both kinds have the same keys.
# timeout: 300
# programs: hotset nbdkit nbdcmd
load_module
pair 64 32
hs() { /bin/hotset "$@"; }
keys() { # all, sorted
	hs stats data --json | tr -d '{}' | tr ',' '\n' | sed 's/:[^:]*$//' | sort
}
key() { # KEY
	hs stats data --json | tr ',{}' '\n\n\n' | sed -n "s/^\"$1\":\"\{0,1\}\([^\"]*\)\"\{0,1\}$/\1/p" | tail -n 1
}
uri="nbd+unix:///?socket=/run/nbd.sock"
serve() {
	hs serve /dev/nullb0 /dev/nullb1 --name data --socket /run/nbd.sock --pidfile /run/pid "$@" 2>/tmp/serve.log &
	server=$!
	wait_for 60 [ -s /run/pid ] || die "hotset serve: $(cat /tmp/serve.log)"
}
request() { # read|write OFFSET LENGTH [BYTE]
	nbdcmd "$uri" "$@" || die "$*"
}
filled() { # MIB OCTAL-BYTE: a MiB of the device
	dd if=/dev/mapper/data bs=1M count=1 skip=$1 iflag=direct 2>/dev/null | tr -d "\\$2" | wc -c
}
fill() { # MIB OCTAL-BYTE
	dd if=/dev/zero bs=1M count=1 2>/dev/null | tr '\000' "\\$2" |
		dd of=/dev/mapper/data bs=64k seek=$(($1 * 16)) oflag=direct iflag=fullblock conv=fsync,notrunc 2>/dev/null || die "fill"
}

hs format /dev/nullb0 /dev/nullb1 >/dev/null || die "format"
hs attach data /dev/nullb0 /dev/nullb1 --set writeback=off || die "attach"
fill 1 021
fill 2 042
keys >/tmp/keys.kernel
expect dirty "$(key dirty)" 512
hs detach data --keep-dirty || die "detach"

# Served, it has the kernel's dirty blocks.
serve --set writeback=off
grep -q 'not stopped cleanly' /tmp/serve.log && die "$(cat /tmp/serve.log)"
keys >/tmp/keys.server
cmp /tmp/keys.kernel /tmp/keys.server || die "keys differ: $(diff /tmp/keys.kernel /tmp/keys.server)"
at_least keys "$(wc -l </tmp/keys.server)" 45
expect dirty "$(key dirty)" 512
hs list | grep -q '^data  *server ' || die "$(hs list)"
hs attach data /dev/nullb0 /dev/nullb1 2>/tmp/err && die "attached under a server"
grep -q 'a server named data is running' /tmp/err || die "$(cat /tmp/err)"
hs detach data 2>/tmp/err && die "detached a server"
grep -q "a process serves it, not the kernel: 'hotset stop data --writeback'" /tmp/err || die "$(cat /tmp/err)"
request read 1048576 1048576 >/tmp/out
expect "bytes" "$(tr -d '\021' </tmp/out | wc -c)" 0
request write 3145728 1048576 51
request flush
hs stop data || die "stop: $(cat /tmp/serve.log)"
wait $server

# In the kernel again, clean.
hs attach data /dev/nullb0 /dev/nullb1 --set writeback=off || die "attach"
expect "clean start" "$(key clean_start)" true
expect dirty "$(key dirty)" 768
expect "other bytes" "$(filled 1 021)" 0
expect "other bytes" "$(filled 2 042)" 0
expect "other bytes" "$(filled 3 063)" 0
fill 4 104
hs stop data || die "stop"

# A server that is killed: the kernel recovers.
serve --set writeback=off
request write 5242880 1048576 85
request flush
nbdkit=$(cat /run/pid)
kill -KILL "$nbdkit"
wait $server 2>/dev/null
hs attach data /dev/nullb0 /dev/nullb1 || die "attach after a kill"
dmesg | grep -q 'was not stopped cleanly: recovered' || die "no word of recovery"
expect "clean start" "$(key clean_start)" false
expect dirty "$(key dirty)" 1280
expect "other bytes" "$(filled 4 104)" 0
expect "other bytes" "$(filled 5 125)" 0
hs detach data || die "detach"
hs check --data /dev/nullb1 || die "not sound"
for mib in "1 021" "2 042" "3 063" "4 104" "5 125"; do
	set -- $mib
	expect "other bytes on the origin" \
		"$(dd if=/dev/nullb0 bs=1M count=1 skip=$1 iflag=direct 2>/dev/null | tr -d "\\$2" | wc -c)" 0
done
