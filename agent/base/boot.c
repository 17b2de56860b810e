#include "base/boot.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

void boot_id(char id[BOOT_ID_SIZE])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? 0 : read(fd, id, BOOT_ID_SIZE - 1);

	id[length > 0 ? length : 0] = '\0';
	id[strcspn(id, "\n")] = '\0';
	if (fd >= 0)
		close(fd);
}
