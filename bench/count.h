/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Counting what a piece of a program costs: nanoseconds, instructions, locked instructions.
 *
 * Instructions: the same program runs under callgrind, which collects between count_begin and count_end; the
 * script beside it reads what it collected, function by function.
 *
 * Locked instructions are counted by running a child one instruction at a time and looking at each: exact,
 * and possible wherever ptrace is. x86-64 only.
 */
#ifndef HS_BENCH_COUNT_H
#define HS_BENCH_COUNT_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if defined(__has_include)
#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#endif
#endif
#ifndef CALLGRIND_START_INSTRUMENTATION
#define CALLGRIND_START_INSTRUMENTATION	do { } while (0)
#define CALLGRIND_STOP_INSTRUMENTATION	do { } while (0)
#endif

struct count {
	uint64_t ns;
};

static inline uint64_t count_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static inline void count_begin(struct count *c)
{
	CALLGRIND_START_INSTRUMENTATION;
	c->ns = count_now();
}

static inline void count_end(struct count *c)
{
	c->ns = count_now() - c->ns;
	CALLGRIND_STOP_INSTRUMENTATION;
}

/* ---- one instruction at a time --------------------------------------------------------------------- */

struct count_steps {
	uint64_t instructions, locked;
};

#ifdef __x86_64__

/* A LOCK prefix, or an exchange with memory, which locks without one. */
static inline bool count_is_locked(const uint8_t *code)
{
	unsigned int i;

	for (i = 0; i < 14; i++) {
		switch (code[i]) {
		case 0xf0:
			return true;
		case 0x66: case 0x67: case 0x2e: case 0x36: case 0x3e: case 0x26: case 0x64: case 0x65:
		case 0xf2: case 0xf3:
			continue;
		}
		break;
	}
	if ((code[i] & 0xf0) == 0x40)
		i++;
	return (code[i] == 0x86 || code[i] == 0x87) && code[i + 1] < 0xc0;
}

static inline bool count_at(pid_t child, struct count_steps *steps)
{
	struct user_regs_struct regs;
	union {
		long word[2];
		uint8_t byte[16];
	} code;

	if (ptrace(PTRACE_GETREGS, child, NULL, &regs))
		return false;
	code.word[0] = ptrace(PTRACE_PEEKTEXT, child, (void *)regs.rip, NULL);
	code.word[1] = ptrace(PTRACE_PEEKTEXT, child, (void *)(regs.rip + 8), NULL);
	steps->instructions++;
	steps->locked += count_is_locked(code.byte);
	return true;
}

/*
 * Runs fn in a child, after prepare (a child starts with one thread only). The end of one raise and the
 * beginning of another are in the figures.
 */
static inline bool count_steps(void (*prepare)(void), void (*fn)(void *arg), void *arg,
			       struct count_steps *steps)
{
	pid_t child = fork();
	bool ok = true;
	int status;

	steps->instructions = 0;
	steps->locked = 0;
	if (child < 0)
		return false;
	if (!child) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
			_exit(1);
		prepare();
		raise(SIGSTOP);
		fn(arg);
		raise(SIGSTOP);
		_exit(0);
	}
	if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status))
		return false;
	do
		ok = count_at(child, steps) && !ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) &&
		     waitpid(child, &status, 0) == child && WIFSTOPPED(status);
	while (ok && WSTOPSIG(status) == SIGTRAP);
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	return ok;
}

#else

static inline bool count_steps(void (*prepare)(void), void (*fn)(void *arg), void *arg,
			       struct count_steps *steps)
{
	(void)prepare;
	(void)fn;
	(void)arg;
	(void)steps;
	return false;
}

#endif
#endif
