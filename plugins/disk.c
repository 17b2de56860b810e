/* disk: what disks do (disk.io, from /proc/diskstats) and what file systems hold (disk.space, by statvfs(3)).
 *
 * disk.io has whole disks only; its total counts each byte once, so that what is stacked on other disks (device
 * mapper, RAID, loop) and what is memory (ram, zram) has rows but no part in the sum. Sources: kernel document
 * admin-guide/iostats.rst, /sys/block.
 *
 * disk.space has what is mounted from a real device, each device once. statvfs(3) may wait for ever, which is why that
 * family runs in a worker and says which mount it enters. Sources: proc_pid_mountinfo(5), proc_filesystems(5). */
#include <pindrop/plugin.h>

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* --- disk.io --------------------------------------------------------------------------------------------------- */

enum { READ_BYTES, WRITE_BYTES, READ_COUNT, WRITE_COUNT, READ_TIME, WRITE_TIME, BUSY_TIME, IO_FIELDS };

/* A row stays a row. */
/* clang-format off */
#define TOTAL_OF(name_, unit_, decimals_, stat_, help_) \
	{.name = name_, .kind = PINDROP_COUNTER, .unit = unit_, .decimals = decimals_, .stat = stat_, .help = help_}

static const struct pindrop_field io_fields[IO_FIELDS] = {
	[READ_BYTES] = TOTAL_OF("read_bytes", "bytes", 0, "read_bytes", "read from the disk"),
	[WRITE_BYTES] = TOTAL_OF("write_bytes", "bytes", 0, "write_bytes", "written to the disk"),
	[READ_COUNT] = TOTAL_OF("read_count", "", 0, "read_count", "reads that were completed"),
	[WRITE_COUNT] = TOTAL_OF("write_count", "", 0, "write_count", "writes that were completed"),
	[READ_TIME] = TOTAL_OF("read_time", "seconds", 3, NULL, "that all reads took together"),
	[WRITE_TIME] = TOTAL_OF("write_time", "seconds", 3, NULL, "that all writes took together"),
	[BUSY_TIME] = TOTAL_OF("busy_time", "seconds", 3, NULL, "during which the disk had something to do"),
};
/* clang-format on */

/* The kernel counts in sectors of this size, whatever the disk's own is. */
#define SECTOR 512

/* What was found out about a device, for as long as it is there. */
struct device {
	char name[64];
	bool whole;  /* no partition */
	bool summed; /* its bytes are counted nowhere else */
	bool seen;   /* in this sample */
};

struct io {
	struct pindrop_file file;
	struct device *devices;
	size_t count;
};

/* Whether there is such a file below the root. */
static bool exists(const struct pindrop_host *host, const char *folder, const char *name)
{
	char path[512], file[64];

	snprintf(file, sizeof(file), "%s", name);
	/* "cciss/c0d0" is called "cciss!c0d0" in /sys. */
	for (char *slash = file; (slash = strchr(slash, '/'));)
		*slash = '!';
	snprintf(path, sizeof(path), "%s/%s/%s", pindrop_root(host), folder, file);
	return access(path, F_OK) == 0;
}

static bool is_hidden(struct pindrop_host *host, const char *name)
{
	struct pindrop_file file = {0};
	char path[128];
	const char *text;
	bool hidden;

	snprintf(path, sizeof(path), "sys/block/%s/hidden", name);
	text = pindrop_file_read(host, &file, path);
	hidden = text && text[0] == '1';
	pindrop_file_release(&file);
	return hidden;
}

/* Whether a name is a partition's, where there is no /sys to ask: sda1, nvme0n1p2, mmcblk0p1. */
static bool looks_like_partition(const char *name)
{
	static const char *const letters[] = {"sd", "hd", "vd", "xvd", NULL};
	size_t digits = strlen(name);

	while (digits > 0 && name[digits - 1] >= '0' && name[digits - 1] <= '9')
		digits--;
	if (!name[digits] || digits < 2)
		return false;
	if (name[digits - 1] == 'p' && name[digits - 2] >= '0' && name[digits - 2] <= '9')
		return true;
	for (size_t i = 0; letters[i]; i++)
		if (strncmp(name, letters[i], strlen(letters[i])) == 0)
			return true;
	return false;
}

/* What lies on other disks, or in memory. */
static bool is_stacked(const char *name)
{
	static const char *const prefixes[] = {"dm-", "md", "loop", "ram", "zram", "bcache", "drbd", NULL};

	for (size_t i = 0; prefixes[i]; i++)
		if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	return false;
}

static struct device *get_device(struct pindrop_host *host, struct io *io, const char *name)
{
	struct device *longer, *device;

	for (size_t i = 0; i < io->count; i++)
		if (strcmp(io->devices[i].name, name) == 0)
			return &io->devices[i];
	longer = realloc(io->devices, (io->count + 1) * sizeof(*longer));
	if (!longer)
		return NULL;
	io->devices = longer;
	device = &io->devices[io->count++];
	*device = (struct device){0};
	snprintf(device->name, sizeof(device->name), "%s", name);
	device->whole = exists(host, "sys", "block") ? exists(host, "sys/block", name) : !looks_like_partition(name);
	device->summed = !is_stacked(name) && !is_hidden(host, name);
	return device;
}

/* One line of /proc/diskstats. False: it has not the columns of a disk. */
static bool parse_diskstats(const char *line, char name[64], double row[IO_FIELDS])
{
	unsigned long long reads, read_sectors, read_ms, writes, write_sectors, write_ms, busy_ms;

	if (sscanf(line, "%*u %*u %63s %llu %*u %llu %llu %llu %*u %llu %llu %*u %llu", name, &reads, &read_sectors,
	           &read_ms, &writes, &write_sectors, &write_ms, &busy_ms) != 8)
		return false;
	row[READ_BYTES] = (double)read_sectors * SECTOR;
	row[WRITE_BYTES] = (double)write_sectors * SECTOR;
	row[READ_COUNT] = (double)reads;
	row[WRITE_COUNT] = (double)writes;
	row[READ_TIME] = (double)read_ms / 1000;
	row[WRITE_TIME] = (double)write_ms / 1000;
	row[BUSY_TIME] = (double)busy_ms / 1000;
	return true;
}

/* Empty drives and unused loop and ram devices: there may be dozens. */
static bool was_used(const double row[IO_FIELDS])
{
	for (size_t i = 0; i < IO_FIELDS; i++)
		if (row[i] > 0)
			return true;
	return false;
}

static void add_disk(struct pindrop_host *host, struct io *io, const char *line, struct pindrop_batch *batch)
{
	double values[IO_FIELDS];
	char name[64];
	struct device *device;

	if (!parse_diskstats(line, name, values) || !(device = get_device(host, io, name)))
		return;
	device->seen = true;
	if (!device->whole || !was_used(values))
		return;
	memcpy(pindrop_row(batch, name, NULL), values, sizeof(values));
	if (!device->summed)
		pindrop_row_unsummed(batch);
}

/* A name that comes back may be another device. */
static void forget_absent(struct io *io)
{
	for (size_t i = io->count; i-- > 0;) {
		if (!io->devices[i].seen)
			io->devices[i] = io->devices[--io->count];
		else
			io->devices[i].seen = false;
	}
}

/* --- disk.space: which mounts ------------------------------------------------------------------------------------ */

enum { TOTAL, USED, FREE, USED_PERCENT, INODES, INODES_FREE, SPACE_FIELDS };

/* A row stays a row. */
/* clang-format off */
#define LEVEL(name_, unit_, stat_, help_) \
	{.name = name_, .kind = PINDROP_GAUGE, .unit = unit_, .decimals = 0, .stat = stat_, .help = help_}

static const struct pindrop_field space_fields[SPACE_FIELDS] = {
	[TOTAL] = LEVEL("total", "bytes", "total_mem", "size of the file system"),
	[USED] = LEVEL("used", "bytes", "used_mem", "used by anybody"),
	[FREE] = LEVEL("free", "bytes", "free_mem", "free for everybody, without what is kept for root"),
	[USED_PERCENT] = LEVEL("used_percent", "percent", "used_percent", "used, of used and free"),
	[INODES] = LEVEL("inodes", "", NULL, "files that there can be"),
	[INODES_FREE] = LEVEL("inodes_free", "", NULL, "files that there can be still"),
};
/* clang-format on */

struct mount {
	unsigned major, minor;
	char *root, *point, *type, *source; /* in `text` */
	char *text;
};

struct space {
	bool network;
	regex_t *excluded;
	size_t excluded_count;
	struct pindrop_file mountinfo, filesystems;
	const char *mountinfo_path;
	struct mount *mounts;
	size_t count;
};

static void release_mounts(struct space *space)
{
	for (size_t i = 0; i < space->count; i++)
		free(space->mounts[i].text);
	free(space->mounts);
	space->mounts = NULL;
	space->count = 0;
}

/* Space, tab, newline and backslash are written in octal: "\040". In place. */
static void decode_octal(char *text)
{
	char *to = text;

	for (const char *from = text; *from; to++) {
		if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] >= '0' && from[2] <= '7' && from[3] >= '0' &&
		    from[3] <= '7') {
			*to = (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 + (from[3] - '0'));
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
}

/* "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw". The texts belong to mount->text, for free(). */
static bool parse_mount(const char *line, size_t length, struct mount *mount)
{
	int root, root_end, point, point_end, type, type_end, source, source_end;
	char *text = strndup(line, length), *rest = text ? strstr(text, " - ") : NULL;

	if (!rest ||
	    sscanf(text, "%*d %*d %u:%u %n%*s%n %n%*s%n", &mount->major, &mount->minor, &root, &root_end, &point,
	           &point_end) != 2 ||
	    sscanf(rest, " - %n%*s%n %n%*s%n", &type, &type_end, &source, &source_end) != 0) {
		free(text);
		return false;
	}
	mount->text = text;
	mount->root = text + root;
	mount->point = text + point;
	mount->type = rest + type;
	mount->source = rest + source;
	text[root_end] = text[point_end] = rest[type_end] = rest[source_end] = '\0';
	decode_octal(mount->root);
	decode_octal(mount->point);
	decode_octal(mount->source);
	return true;
}

/* Types with a device, as the kernel lists them without "nodev"; zfs has one, too, but says otherwise. */
static bool is_real(const char *filesystems, const char *type)
{
	size_t length = strlen(type);

	if (strcmp(type, "zfs") == 0)
		return true;
	for (const char *line = filesystems; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL)
		if (line[0] == '\t' && strncmp(line + 1, type, length) == 0 && (line[length + 1] == '\n' || !line[length + 1]))
			return true;
	return false;
}

static bool is_fuse(const char *type)
{
	return strcmp(type, "fuse") == 0 || strncmp(type, "fuse.", 5) == 0;
}

/* What the option `network` adds; not what desktops and containers mount for themselves. */
static bool is_network(const char *type)
{
	static const char *const types[] = {"nfs", "nfs4", "cifs", "smb3", "smbfs", NULL};
	static const char *const private[] = {"fuse.lxcfs", "fuse.portal", "fuse.gvfsd-fuse", NULL};

	for (size_t i = 0; types[i]; i++)
		if (strcmp(type, types[i]) == 0)
			return true;
	for (size_t i = 0; private[i]; i++)
		if (strcmp(type, private[i]) == 0)
			return false;
	return is_fuse(type);
}

/* A device that is mounted twice has one source; file systems of FUSE may share theirs, but not their number. */
static bool same_device(const struct mount *a, const struct mount *b)
{
	if (is_fuse(a->type) || is_fuse(b->type))
		return a->major == b->major && a->minor == b->minor;
	return strcmp(a->source, b->source) == 0;
}

static void remove_mount(struct space *space, size_t index)
{
	free(space->mounts[index].text);
	space->count--;
	memmove(&space->mounts[index], &space->mounts[index + 1], (space->count - index) * sizeof(*space->mounts));
}

static void add_mount(struct space *space, const struct mount *mount)
{
	struct mount *longer = realloc(space->mounts, (space->count + 1) * sizeof(*longer));

	if (!longer) {
		free(mount->text);
		return;
	}
	space->mounts = longer;
	space->mounts[space->count++] = *mount;
}

static bool is_excluded(const struct space *space, const char *point)
{
	for (size_t i = 0; i < space->excluded_count; i++)
		if (regexec(&space->excluded[i], point, 0, NULL, 0) == 0)
			return true;
	return false;
}

/* Whether a mount is shown; the device's other mount makes room when this one shows more of it. */
static bool is_wanted(struct space *space, const struct mount *mount, const char *filesystems)
{
	if (!is_real(filesystems, mount->type) && !(space->network && is_network(mount->type)))
		return false;
	if (is_excluded(space, mount->point))
		return false;
	for (size_t i = 0; i < space->count; i++) {
		if (!same_device(&space->mounts[i], mount))
			continue;
		if (strcmp(space->mounts[i].root, "/") == 0 || strcmp(mount->root, "/") != 0)
			return false;
		remove_mount(space, i);
		return true;
	}
	return true;
}

static void take_mounts(struct space *space, const char *mountinfo, const char *filesystems)
{
	release_mounts(space);
	while (*mountinfo) {
		size_t length = strcspn(mountinfo, "\n");
		struct mount mount;

		if (parse_mount(mountinfo, length, &mount)) {
			/* What was mounted there before is hidden now. */
			for (size_t i = space->count; i-- > 0;)
				if (strcmp(space->mounts[i].point, mount.point) == 0)
					remove_mount(space, i);
			if (is_wanted(space, &mount, filesystems))
				add_mount(space, &mount);
			else
				free(mount.text);
		}
		mountinfo += length + (mountinfo[length] == '\n');
	}
}

/* The kernel says by POLLPRI that its mounts have changed since they were read (proc_pid_mountinfo(5)). A recorded
 * file never says so; below another root it is read anew each time. */
static bool have_changed(const struct pindrop_host *host, const struct space *space)
{
	struct pollfd changed = {.fd = space->mountinfo.fd, .events = POLLPRI};

	if (!space->mountinfo.text || *pindrop_root(host))
		return true;
	return poll(&changed, 1, 0) != 0;
}

static int read_mounts(struct pindrop_host *host, struct space *space)
{
	const char *mountinfo, *filesystems;

	if (!have_changed(host, space))
		return 0;
	/* Below another root, the first process sees what the machine has mounted; we are elsewhere. */
	if (!space->mountinfo_path)
		space->mountinfo_path =
			*pindrop_root(host) && exists(host, "proc/1", "mountinfo") ? "proc/1/mountinfo" : "proc/self/mountinfo";
	mountinfo = pindrop_file_read(host, &space->mountinfo, space->mountinfo_path);
	if (!mountinfo)
		return -1;
	filesystems = pindrop_file_read(host, &space->filesystems, "proc/filesystems");
	if (!filesystems)
		return -1;
	take_mounts(space, mountinfo, filesystems);
	return 0;
}

/* --- disk.space: how full ---------------------------------------------------------------------------------------- */

/* psutil's formulas, as df(1) has them: what is kept for root is neither used nor free. */
static void fill_space(const struct statvfs *stat, double row[SPACE_FIELDS])
{
	double unit = (double)stat->f_frsize;

	row[TOTAL] = (double)stat->f_blocks * unit;
	row[USED] = (double)(stat->f_blocks - stat->f_bfree) * unit;
	row[FREE] = (double)stat->f_bavail * unit;
	row[USED_PERCENT] = row[USED] + row[FREE] > 0 ? 100 * row[USED] / (row[USED] + row[FREE]) : 0;
	row[INODES] = (double)stat->f_files;
	row[INODES_FREE] = (double)stat->f_ffree;
}

/* What the kernel calls /dev/root when no initrd has mounted it: its real name by its number. */
static void name_device(struct pindrop_host *host, const struct mount *mount, char *name, size_t size)
{
	struct pindrop_file file = {0};
	char path[64];
	const char *text, *found;

	snprintf(name, size, "%s", mount->source);
	if (strcmp(mount->source, "/dev/root") != 0)
		return;
	snprintf(path, sizeof(path), "sys/dev/block/%u:%u/uevent", mount->major, mount->minor);
	text = pindrop_file_read(host, &file, path);
	found = text ? strstr(text, "DEVNAME=") : NULL;
	if (found)
		snprintf(name, size, "/dev/%.*s", (int)strcspn(found + 8, "\n"), found + 8);
	pindrop_file_release(&file);
}

static void add_space(struct pindrop_host *host, const struct mount *mount, struct pindrop_batch *batch)
{
	char device[512], path[4096];
	const char *const labels[] = {device};
	struct statvfs stat;
	double *row;

	name_device(host, mount, device, sizeof(device));
	row = pindrop_row(batch, mount->point, labels);
	snprintf(path, sizeof(path), "%s%s", pindrop_root(host), mount->point);
	/* A mount that cannot be asked keeps its row: it is there, and unknown. */
	if (pindrop_row_enter(batch) && statvfs(path, &stat) == 0)
		fill_space(&stat, row);
}

/* --- the plugin ---------------------------------------------------------------------------------------------------- */

/* Options, in the order of the table. */
enum { EXCLUDE, NETWORK };

struct disk {
	struct pindrop_host *host;
	struct io io;
	struct space space;
};

static int sample_io(void *state, struct pindrop_batch *batch)
{
	struct disk *disk = state;
	const char *text = pindrop_file_read(disk->host, &disk->io.file, "proc/diskstats");

	if (!text)
		return -1;
	for (const char *line = text; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL)
		add_disk(disk->host, &disk->io, line, batch);
	forget_absent(&disk->io);
	return 0;
}

static int sample_space(void *state, struct pindrop_batch *batch)
{
	struct disk *disk = state;

	if (read_mounts(disk->host, &disk->space) < 0)
		return -1;
	for (size_t i = 0; i < disk->space.count; i++)
		add_space(disk->host, &disk->space.mounts[i], batch);
	return 0;
}

static void close_disk(void *state)
{
	struct disk *disk = state;

	for (size_t i = 0; i < disk->space.excluded_count; i++)
		regfree(&disk->space.excluded[i]);
	free(disk->space.excluded);
	release_mounts(&disk->space);
	pindrop_file_release(&disk->space.mountinfo);
	pindrop_file_release(&disk->space.filesystems);
	pindrop_file_release(&disk->io.file);
	free(disk->io.devices);
	free(disk);
}

/* The patterns were checked by the agent: they compile. */
static bool take_patterns(struct space *space, const char *const *patterns)
{
	size_t count = 0;

	while (patterns[count])
		count++;
	space->excluded = calloc(count + 1, sizeof(*space->excluded));
	while (space->excluded && space->excluded_count < count &&
	       regcomp(&space->excluded[space->excluded_count], patterns[space->excluded_count],
	               REG_EXTENDED | REG_NOSUB) == 0)
		space->excluded_count++;
	return space->excluded_count == count;
}

static void *open_disk(struct pindrop_host *host, const union pindrop_value *options)
{
	struct disk *disk = calloc(1, sizeof(*disk));

	if (!disk) {
		pindrop_error(host, "out of memory");
		return NULL;
	}
	disk->host = host;
	disk->space.network = options[NETWORK].flag;
	if (!take_patterns(&disk->space, options[EXCLUDE].list)) {
		pindrop_error(host, "disk: a pattern of \"exclude\" cannot be compiled");
		close_disk(disk);
		return NULL;
	}
	return disk;
}

static const struct pindrop_option options[] = {
	[EXCLUDE] = {.name = "exclude", .type = PINDROP_PATTERNS, .help = "mount points that are left out of disk.space"},
	[NETWORK] = {.name = "network", .type = PINDROP_BOOL, .preset = "false", .help = "add NFS, CIFS and FUSE mounts"},
};

static const struct pindrop_label space_labels[] = {{.name = "device", .stat = "device"}};

static const struct pindrop_family families[] = {
	{
		.name = "disk.io",
		.help = "reads and writes of whole disks",
		.fields = io_fields,
		.field_count = IO_FIELDS,
		.instance = "disk",
		.stat = "disk_stat.count_stats",
		.shape = PINDROP_SUM,
		.never_blocks = true,
		.sample = sample_io,
	},
	{
		.name = "disk.space",
		.help = "how full mounted file systems are",
		.fields = space_fields,
		.field_count = SPACE_FIELDS,
		.instance = "mount",
		.labels = space_labels,
		.label_count = PINDROP_COUNT(space_labels),
		.stat = "disk_stat.part_stats",
		.shape = PINDROP_LIST,
		.stat_name = "mt_pt",
		.sample = sample_space,
	},
};

PINDROP_EXPORT const struct pindrop_plugin pindrop_plugin = {
	.abi = PINDROP_ABI,
	.name = "disk",
	.help = "disks and file systems",
	.options = options,
	.option_count = PINDROP_COUNT(options),
	.families = families,
	.family_count = PINDROP_COUNT(families),
	.open = open_disk,
	.close = close_disk,
};
