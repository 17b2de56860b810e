/* base/memory.h: allocation that does not fail.
 *
 * The agent's own allocations are small. Where even those cannot be had there is nothing useful left to do, so these
 * functions say so on stderr and abort(). Any thread. Free with free(). */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stdarg.h>
#include <stddef.h>

void *memory_alloc(size_t size) __attribute__((malloc, warn_unused_result)); /* all zero */
void *memory_array(size_t count, size_t size)
	__attribute__((malloc, warn_unused_result)); /* all zero, checked for overflow */
void *memory_resize(void *old, size_t count, size_t size)
	__attribute__((warn_unused_result)); /* what is new is not cleared */
char *memory_text(const char *text) __attribute__((malloc, warn_unused_result));
char *memory_format(const char *format, ...) __attribute__((malloc, warn_unused_result, format(printf, 1, 2)));
char *memory_vformat(const char *format, va_list args)
	__attribute__((malloc, warn_unused_result, format(printf, 1, 0)));

#endif
