// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* hotset top on a terminal. */
#include <curses.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "top.h"

static void draw(const struct hs_top *top)
{
	char line[HS_TOP_LINE], clock[16];
	time_t now = time(NULL);
	struct tm tm;
	int y = 0;

	strftime(clock, sizeof(clock), "%H:%M:%S", localtime_r(&now, &tm));
	erase();
	mvprintw(y++, 0, "hotset %s, %zu caches, by %s   (s: sort, q: quit)", clock, top->nr,
		 hs_top_order_name(top->order));
	hs_top_head(line);
	attron(A_REVERSE);
	mvaddnstr(++y, 0, line, COLS);
	attroff(A_REVERSE);
	for (size_t i = 0; i < top->nr && y + 1 < LINES; i++) {
		hs_top_line(line, &top->rows[i]);
		mvaddnstr(++y, 0, line, COLS);
	}
	refresh();
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Keys, until the next look is due; whether to go on. */
static bool keys(struct hs_top *top, uint64_t due)
{
	for (uint64_t now; (now = now_ms()) < due;) {
		timeout((int)(due - now));
		switch (getch()) {
		case 'q':
		case 'Q':
			return false;
		case 's':
		case 'S':
			top->order = (top->order + 1) % HS_TOP_ORDERS;
			hs_top_sort(top);
			draw(top);
			break;
		case KEY_RESIZE:
			draw(top);
		}
	}
	return true;
}

static int watch(struct hs_top *top, uint64_t ms, uint32_t looks)
{
	uint32_t look = 0;

	for (;;) {
		uint64_t due = now_ms() + ms;
		int code = hs_top_look(top);

		if (code)
			return code;
		draw(top);
		if (++look == looks || !keys(top, due))
			return HS_EXIT_OK;
	}
}

/* Caches that end between two looks are complained of, which would spoil the screen. */
int hs_top_screen(struct hs_top *top, uint64_t ms, uint32_t looks)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC), saved = dup(STDERR_FILENO), code;
	SCREEN *screen;

	if (null < 0 || saved < 0)
		return hs_fail("no more files can be opened");
	screen = newterm(NULL, stdout, stdin);
	if (!screen)
		return hs_fail("this terminal cannot show a screen: use --batch, or set TERM");
	cbreak();
	noecho();
	curs_set(0);
	keypad(stdscr, TRUE);
	dup2(null, STDERR_FILENO);
	code = watch(top, ms, looks);
	endwin();
	delscreen(screen);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(null);
	return code ? hs_fail("the caches cannot be looked at: see 'hotset top --batch'") : code;
}
