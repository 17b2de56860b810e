#include "collect/host.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"

/* A plugin that fails without pindrop_error() still gets a line that names it. */
static int tell(const struct pindrop_host *host, const char *name, const char *function, struct error *error)
{
	if (host->error.text[0])
		return error_set(error, "%s", host->error.text);
	return error_set(error, "%s: %s failed and does not say why", name, function);
}

int host_open(struct pindrop_host *host, const struct pindrop_plugin *table, const union pindrop_value *options,
              void **state, struct error *error)
{
	host->error.text[0] = '\0';
	*state = NULL;
	if (!table->open)
		return 0;
	*state = table->open(host, options);
	return *state ? 0 : tell(host, table->name, "open()", error);
}

int host_sample(struct pindrop_host *host, const struct pindrop_family *family, void *state,
                struct pindrop_batch *batch, struct error *error)
{
	host->error.text[0] = '\0';
	return family->sample(state, batch) == 0 ? 0 : tell(host, family->name, "sample()", error);
}

double *pindrop_row(struct pindrop_batch *batch, const char *instance, const char *const *labels)
{
	return batch_add(batch->batch, instance ? instance : "", labels);
}

void pindrop_row_unsummed(struct pindrop_batch *batch)
{
	if (batch->batch->row_count)
		batch->batch->rows[batch->batch->row_count - 1].summed = false;
}

bool pindrop_row_enter(struct pindrop_batch *batch)
{
	if (!batch->enter || !batch->batch->row_count)
		return true;
	return batch->enter(batch->context, batch_name(batch->batch, batch->batch->row_count - 1));
}

int pindrop_error(struct pindrop_host *host, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(host->error.text, sizeof(host->error.text), format, args);
	va_end(args);
	return -1;
}

const char *pindrop_root(const struct pindrop_host *host)
{
	return host->root;
}

/* Opens `path` below the root. */
static int open_below(const struct pindrop_host *host, const char *path)
{
	char *full = memory_format("%s/%s", host->root, path);
	int fd = open(full, O_RDONLY | O_CLOEXEC);
	int saved = errno;

	free(full);
	errno = saved;
	return fd;
}

/* Reads the file from its start to its end. A file in /proc is made at each read at offset 0, so one large pread(2)
 * sees one moment; only when the buffer was too small is it read again, whole, into a larger one. */
static ssize_t read_whole(struct pindrop_file *file)
{
	for (;;) {
		ssize_t length = 0, part;

		do {
			part = pread(file->fd, file->text + length, file->room - 1 - (size_t)length, length);
			if (part > 0)
				length += part;
		} while ((part > 0 && (size_t)length < file->room - 1) || (part < 0 && errno == EINTR));
		if (part < 0)
			return -1;
		if ((size_t)length < file->room - 1)
			return length;
		file->room *= 2;
		file->text = memory_resize(file->text, file->room, 1);
	}
}

const char *pindrop_file_read(struct pindrop_host *host, struct pindrop_file *file, const char *path)
{
	ssize_t length;
	int saved;

	if (!file->text) {
		file->fd = open_below(host, path);
		if (file->fd < 0) {
			saved = errno;
			pindrop_error(host, "cannot open %s/%s: %s", host->root, path, strerror(saved));
			errno = saved;
			return NULL;
		}
		file->room = 4096;
		file->text = memory_array(file->room, 1);
	}
	length = read_whole(file);
	if (length < 0) {
		saved = errno;
		pindrop_file_release(file);
		pindrop_error(host, "cannot read %s/%s: %s", host->root, path, strerror(saved));
		errno = saved;
		return NULL;
	}
	file->text[length] = '\0';
	file->length = (size_t)length;
	return file->text;
}

void pindrop_file_release(struct pindrop_file *file)
{
	if (file->text)
		close(file->fd);
	free(file->text);
	*file = (struct pindrop_file){0};
}
