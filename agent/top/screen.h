/* top/screen.h: the terminal. The one place that calls ncurses. */
#ifndef TOP_SCREEN_H
#define TOP_SCREEN_H

#include <stdbool.h>

#include "top/talk.h"

struct screen; /* what is shown of the sheet, and whether the help is */

/* Takes the terminal; NULL: it cannot be used ($TERM), which was told. `unicode`, `host`: see draw.h. One at a time. */
struct screen *screen_open(bool unicode, const char *host);

/* Gives the terminal back as it was. */
void screen_close(struct screen *screen);

/* Draws what is known; does what the keys that were pressed ask for. False: to quit. */
void screen_draw(struct screen *screen, const struct talk *talk);
bool screen_obey(struct screen *screen);

#endif
