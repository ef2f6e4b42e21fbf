# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Table lines: good ones make what they say, and TABLE gives a line that makes the same again; every bad argument is
# refused with its own words.
# short
load_module
disk 0 64
disk 1 32
disk 2 4
len=$(sectors /dev/nullb0)
o=/dev/nullb0 c=/dev/nullb1

bad() { # PATTERN LENGTH ARGUMENTS
	dmesg -c >/dev/null
	dmsetup create bad --noudevsync --noudevrules --table "0 $2 hotset $3" 2>/dev/null && die "accepted: $3"
	dmesg | grep -q "$1" || die "refused without '$1': $3: $(dmesg)"
}

good() { # ARGUMENTS WANTED
	dmsetup create good --noudevsync --noudevrules --table "0 $len hotset $1" || die "refused: $1: $(dmesg | tail -n 5)"
	line=$(dmsetup table good)
	echo "$line" | grep -q "^0 $len hotset $(cat /sys/block/nullb0/dev) $(cat /sys/block/nullb1/dev) $2" || die "$1 became $line"
	remove good
	# The same again, from the device.
	dmsetup create good --noudevsync --noudevrules --table "$line" || die "refused: $line"
	expect "table" "$(dmsetup table good)" "$line"
	remove good
}

bad "Two arguments" $len ""
bad "Two arguments" $len "$o"
bad "Origin device lookup" $len "/dev/none $c"
bad "Cache device lookup" $len "$o /dev/none"
bad "are the same" $len "$o $o 0"
bad "origin is smaller" $((len + 1)) "$o $c 0"
bad "Persistence must be" $len "$o $c 2"
bad "Persistence must be" $len "$o $c -1"
bad "Block size must be" $len "$o $c 0 7"
bad "Block size must be" $len "$o $c 0 12"
bad "Block size must be" $len "$o $c 0 4"
bad "Block size must be" $len "$o $c 0 4096"
bad "Cache size must be" $len "$o $c 0 8 0"
bad "Cache size must be" $len "$o $c 0 8 15"
bad "Associativity must be a power" $len "$o $c 0 8 4096 100"
bad "Associativity must be a power" $len "$o $c 0 8 4096 8"
bad "Associativity must be a power" $len "$o $c 0 8 4096 65536"
bad "Associativity must not be above" $len "$o $c 0 8 256 512"
bad "Write policy must be" $len "$o $c 0 8 4096 256 2"
bad "do not fit" $len "$o $c 0 8 8192 256"
bad "do not fit" $len "$o /dev/nullb2 0 8 1024"
bad "not a hotset cache" $len "$o $c 1"
bad "Too many arguments" $len "$o $c 0 8 4096 256 1 1 1 mode=bypass"
bad "number of features does not match" $len "$o $c 0 8 4096 256 1 1"
bad "number of features does not match" $len "$o $c 0 8 4096 256 1 2 mode=bypass"
bad "preceded by their number" $len "$o $c mode=bypass"
bad "Unknown feature" $len "$o $c 0 1 wings"
bad "Unknown feature" $len "$o $c 0 1 wings=2"
bad "mode wants" $len "$o $c 0 1 mode=fast"
bad "policy wants" $len "$o $c 0 1 policy=best"
bad "seq_cutoff wants" $len "$o $c 0 1 seq_cutoff=much"
bad "dirty_age wants" $len "$o $c 0 1 dirty_age=old"
bad "dirty_limit wants" $len "$o $c 0 1 dirty_limit=101"
bad "writeback wants" $len "$o $c 0 1 writeback=maybe"

good "$o $c" "1 8 [0-9]* 512 0 5 mode=writethrough"
good "$o $c 0" "1 8 [0-9]* 512 0 5 mode=writethrough"
good "$o $c 0 16" "1 16 [0-9]* [0-9]* 0 5 mode=writethrough"
good "$o $c 0 8 4096" "1 8 4096 512 0 5 mode=writethrough"
good "$o $c 0 8 4096 256" "1 8 4096 256 0 5 mode=writethrough"
good "$o $c 0 8 4096 256 1" "1 8 4096 256 1 5 mode=writeback"
good "$o $c 0 8 4096 256 1 0" "1 8 4096 256 1 5 mode=writeback"
good "$o $c 0 8 4000 32 0" "1 8 4000 32 0 5 mode=writethrough"
good "$o $c 0 1 mode=writearound" "1 8 [0-9]* 512 0 5 mode=writearound"
good "$o $c 0 8 4096 256 1 3 mode=bypass seq_cutoff=4M policy=lru" "1 8 4096 256 0 5 mode=bypass seq_cutoff=4194304"
good "$o $c 0 8 4096 256 1 4 dirty_age=5 dirty_limit=20 writeback=off no_checksums" \
	"1 8 4096 256 1 6 mode=writeback seq_cutoff=0 dirty_age=5 dirty_limit=20 writeback=off no_checksums"
good "$o $c 1" "1 8 4096 256 1 5 mode=writeback\|1 8 4096 256 1 6 mode=writeback"
# The geometry is the device's, whatever the line says.
good "$o $c 1 64 1024 16 0" "1 8 4096 256 1 6 mode=writeback"
bad "origin of another size" $((len - 8)) "$o $c 1"

# Twice at a time: no.
dmsetup create one --noudevsync --noudevrules --table "0 $len hotset $o $c 1" || die "one"
bad "in use by another hotset" $len "$o $c 1"
bad "in use by another hotset" $len "$o $c 0"
# Dirty data are not overwritten.
nodes
dd if=/dev/urandom of=/dev/mapper/one bs=4k count=16 oflag=direct conv=fsync 2>/dev/null
expect dirty "$(stat_of one 4)" 16
remove one
bad "with dirty data" $len "$o $c 0"
dmsetup create one --noudevsync --noudevrules --table "0 $len hotset $o $c 0 1 force" || die "force"
expect dirty "$(stat_of one 4)" 0
remove one
