/* memory: what memory and swap are used for. Sources: /proc/meminfo (proc_meminfo(5)), /proc/vmstat for swapping, and
 * on kernels without MemAvailable (before 3.14) /proc/zoneinfo. The arithmetic is psutil's. */
#include <pindrop/plugin.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TOTAL, AVAILABLE, USED, FREE, ACTIVE, INACTIVE, BUFFERS, CACHED, SHARED, SLAB, PERCENT, VM_FIELDS };
enum { SWAP_TOTAL, SWAP_USED, SWAP_FREE, SWAP_PERCENT, SWAP_IN, SWAP_OUT, SWAP_FIELDS };

/* A row stays a row. */
/* clang-format off */
#define BYTES(name_, stat_, help_) {.name = name_, .kind = PINDROP_GAUGE, .unit = "bytes", .stat = stat_, .help = help_}
#define SHARE(help_) \
	{.name = "percent", .kind = PINDROP_GAUGE, .unit = "percent", .decimals = 1, .stat = "percent", .help = help_}
#define SWAPPED(name_, help_) {.name = name_, .kind = PINDROP_COUNTER, .unit = "bytes", .help = help_}

static const struct pindrop_field vm_fields[VM_FIELDS] = {
	[TOTAL] = BYTES("total", "total", "physical memory"),
	[AVAILABLE] = BYTES("available", NULL, "what programs can have without swapping"),
	[USED] = BYTES("used", "used", "total without free, buffers and cached"),
	[FREE] = BYTES("free", "free", "used for nothing at all"),
	[ACTIVE] = BYTES("active", "active", "used lately"),
	[INACTIVE] = BYTES("inactive", "inactive", "not used lately"),
	[BUFFERS] = BYTES("buffers", NULL, "cached blocks of disks"),
	[CACHED] = BYTES("cached", NULL, "cached files, and slab that can be reclaimed"),
	[SHARED] = BYTES("shared", NULL, "shared memory and tmpfs"),
	[SLAB] = BYTES("slab", NULL, "the kernel's own structures"),
	[PERCENT] = SHARE("what is not available, of the total"),
};

static const struct pindrop_field swap_fields[SWAP_FIELDS] = {
	[SWAP_TOTAL] = BYTES("total", "total", "swap space"),
	[SWAP_USED] = BYTES("used", "used", "swap in use"),
	[SWAP_FREE] = BYTES("free", "free", "swap not in use"),
	[SWAP_PERCENT] = SHARE("used, of the total"),
	[SWAP_IN] = SWAPPED("sin", "read back from swap since boot"),
	[SWAP_OUT] = SWAPPED("sout", "written to swap since boot"),
};
/* clang-format on */

/* --- /proc/meminfo ------------------------------------------------------------------------------------------- */

/* The lines that are read, in the order that the kernel writes them: each is found at the first look. */
enum {
	MEM_TOTAL,
	MEM_FREE,
	MEM_SHARED,
	MEM_AVAILABLE,
	MEM_BUFFERS,
	MEM_CACHED,
	MEM_ACTIVE,
	MEM_INACTIVE,
	MEM_ACTIVE_FILE,
	MEM_INACTIVE_FILE,
	MEM_SWAP_TOTAL,
	MEM_SWAP_FREE,
	MEM_SHMEM,
	MEM_SLAB,
	MEM_RECLAIMABLE,
	MEM_LINES,
};

static const char *const lines[MEM_LINES] = {
	[MEM_TOTAL] = "MemTotal:",
	[MEM_FREE] = "MemFree:",
	[MEM_SHARED] = "MemShared:", /* before 2.6 */
	[MEM_AVAILABLE] = "MemAvailable:",
	[MEM_BUFFERS] = "Buffers:",
	[MEM_CACHED] = "Cached:",
	[MEM_ACTIVE] = "Active:",
	[MEM_INACTIVE] = "Inactive:",
	[MEM_ACTIVE_FILE] = "Active(file):",
	[MEM_INACTIVE_FILE] = "Inactive(file):",
	[MEM_SWAP_TOTAL] = "SwapTotal:",
	[MEM_SWAP_FREE] = "SwapFree:",
	[MEM_SHMEM] = "Shmem:",
	[MEM_SLAB] = "Slab:",
	[MEM_RECLAIMABLE] = "SReclaimable:",
};

/* The line that `text` begins with, looked for from `next` on and around; MEM_LINES: none that is wanted. */
static size_t find_line(const char *text, size_t next)
{
	for (size_t i = 0; i < MEM_LINES; i++) {
		size_t line = (next + i) % MEM_LINES;

		if (text[0] == lines[line][0] && strncmp(text, lines[line], strlen(lines[line])) == 0)
			return line;
	}
	return MEM_LINES;
}

/* Values in bytes; NaN for lines that are not there. */
static void parse_meminfo(const char *text, double values[MEM_LINES])
{
	size_t next = 0;

	for (size_t i = 0; i < MEM_LINES; i++)
		values[i] = NAN;
	while (text && *text) {
		size_t line = find_line(text, next);

		if (line < MEM_LINES) {
			values[line] = (double)strtoull(text + strlen(lines[line]), NULL, 10) * 1024;
			next = line + 1;
		}
		text = strchr(text, '\n');
		text = text ? text + 1 : NULL;
	}
}

/* Pages of all "low" watermarks of /proc/zoneinfo. */
static double parse_watermarks(const char *text)
{
	double pages = 0;

	while (text && *text) {
		text += strspn(text, " \t");
		if (strncmp(text, "low", 3) == 0 && (text[3] == ' ' || text[3] == '\t'))
			pages += (double)strtoull(text + 3, NULL, 10);
		text = strchr(text, '\n');
		text = text ? text + 1 : NULL;
	}
	return pages;
}

static double or_zero(double value)
{
	return isnan(value) ? 0 : value;
}

static double least(double a, double b)
{
	return a < b ? a : b;
}

/* What kernels since 3.14 say as MemAvailable (kernel commit 34e431b0ae39), as psutil computes it. `low`: the sum of
 * the low watermarks in bytes, NaN where /proc/zoneinfo cannot be read. */
static double estimate_available(const double mem[MEM_LINES], double low)
{
	double pages = mem[MEM_ACTIVE_FILE] + mem[MEM_INACTIVE_FILE], reclaimable = mem[MEM_RECLAIMABLE];

	if (isnan(pages) || isnan(reclaimable) || isnan(low))
		return mem[MEM_FREE] + or_zero(mem[MEM_CACHED]);
	return trunc(mem[MEM_FREE] - low + pages - least(pages / 2, low) + reclaimable - least(reclaimable / 2, low));
}

static double percent(double part, double whole)
{
	return whole == 0 ? 0 : 100 * part / whole;
}

/* `available`: the kernel's, or the estimate. */
static void fill_vm(const double mem[MEM_LINES], double available, double row[VM_FIELDS])
{
	row[TOTAL] = mem[MEM_TOTAL];
	row[FREE] = mem[MEM_FREE];
	row[BUFFERS] = mem[MEM_BUFFERS];
	row[CACHED] = mem[MEM_CACHED] + or_zero(mem[MEM_RECLAIMABLE]);
	row[SHARED] = isnan(mem[MEM_SHMEM]) ? mem[MEM_SHARED] : mem[MEM_SHMEM];
	row[ACTIVE] = mem[MEM_ACTIVE];
	row[INACTIVE] = mem[MEM_INACTIVE];
	row[SLAB] = mem[MEM_SLAB];
	row[USED] = row[TOTAL] - row[FREE] - or_zero(row[CACHED]) - or_zero(row[BUFFERS]);
	/* In containers whose /proc is made up (LXCFS) the numbers do not fit together. */
	if (row[USED] < 0)
		row[USED] = row[TOTAL] - row[FREE];
	row[AVAILABLE] = available < 0 ? 0 : available > row[TOTAL] ? row[FREE] : available;
	row[PERCENT] = percent(row[TOTAL] - row[AVAILABLE], row[TOTAL]);
}

static void fill_swap(const double mem[MEM_LINES], double row[SWAP_FIELDS])
{
	row[SWAP_TOTAL] = mem[MEM_SWAP_TOTAL];
	row[SWAP_FREE] = mem[MEM_SWAP_FREE];
	row[SWAP_USED] = row[SWAP_TOTAL] - row[SWAP_FREE];
	row[SWAP_PERCENT] = percent(row[SWAP_USED], row[SWAP_TOTAL]);
}

/* psutil's unit: it takes a page for 4 kB on every machine. */
static void parse_vmstat(const char *text, double *in, double *out)
{
	const char *swapped_in = strstr(text, "\npswpin "), *swapped_out = strstr(text, "\npswpout ");

	*in = swapped_in ? (double)strtoull(swapped_in + 8, NULL, 10) * 4096 : NAN;
	*out = swapped_out ? (double)strtoull(swapped_out + 9, NULL, 10) * 4096 : NAN;
}

/* --- sampling ------------------------------------------------------------------------------------------------ */

struct memory {
	struct pindrop_host *host;
	struct pindrop_file meminfo, vmstat, zoneinfo;
	double mem[MEM_LINES];
	bool fresh; /* `mem` was read for the vm family, right before the swap family */
	bool swapping_known;
	double swap_in, swap_out;
};

static int read_meminfo(struct memory *memory)
{
	const char *text = pindrop_file_read(memory->host, &memory->meminfo, "proc/meminfo");

	if (!text)
		return -1;
	parse_meminfo(text, memory->mem);
	if (isnan(memory->mem[MEM_TOTAL]))
		return pindrop_error(memory->host, "%s/proc/meminfo has no MemTotal", pindrop_root(memory->host));
	return 0;
}

static int sample_vm(void *state, struct pindrop_batch *batch)
{
	struct memory *memory = state;
	double available;

	if (read_meminfo(memory) < 0)
		return -1;
	memory->fresh = true;
	available = memory->mem[MEM_AVAILABLE];
	/* 0 is what some container runtimes make of what they do not know. */
	if (isnan(available) || available == 0) {
		const char *text = pindrop_file_read(memory->host, &memory->zoneinfo, "proc/zoneinfo");

		available =
			estimate_available(memory->mem, text ? parse_watermarks(text) * (double)sysconf(_SC_PAGESIZE) : NAN);
	}
	fill_vm(memory->mem, available, pindrop_row(batch, NULL, NULL));
	return 0;
}

/* /proc/vmstat is three times as dear as /proc/meminfo, and where there is no swap it has nothing new to say. */
static void read_swapping(struct memory *memory)
{
	const char *text;

	if (memory->swapping_known && memory->mem[MEM_SWAP_TOTAL] == 0)
		return;
	text = pindrop_file_read(memory->host, &memory->vmstat, "proc/vmstat");
	memory->swap_in = memory->swap_out = NAN;
	if (text)
		parse_vmstat(text, &memory->swap_in, &memory->swap_out);
	memory->swapping_known = true;
}

static int sample_swap(void *state, struct pindrop_batch *batch)
{
	struct memory *memory = state;
	double *row;

	if (!memory->fresh && read_meminfo(memory) < 0)
		return -1;
	memory->fresh = false;
	read_swapping(memory);
	row = pindrop_row(batch, NULL, NULL);
	fill_swap(memory->mem, row);
	row[SWAP_IN] = memory->swap_in;
	row[SWAP_OUT] = memory->swap_out;
	return 0;
}

static void *open_memory(struct pindrop_host *host, const union pindrop_value *options)
{
	struct memory *memory = calloc(1, sizeof(*memory));

	(void)options;
	if (memory)
		memory->host = host;
	else
		pindrop_error(host, "out of memory");
	return memory;
}

static void close_memory(void *state)
{
	struct memory *memory = state;

	pindrop_file_release(&memory->meminfo);
	pindrop_file_release(&memory->vmstat);
	pindrop_file_release(&memory->zoneinfo);
	free(memory);
}

static const struct pindrop_family families[] = {
	{
		.name = "memory.vm",
		.help = "physical memory",
		.fields = vm_fields,
		.field_count = VM_FIELDS,
		.stat = "memory_stat.vm",
		.never_blocks = true,
		.sample = sample_vm,
	},
	{
		.name = "memory.swap",
		.help = "swap space",
		.fields = swap_fields,
		.field_count = SWAP_FIELDS,
		.stat = "memory_stat.sm",
		.never_blocks = true,
		.sample = sample_swap,
	},
};

PINDROP_EXPORT const struct pindrop_plugin pindrop_plugin = {
	.abi = PINDROP_ABI,
	.name = "memory",
	.help = "memory and swap",
	.families = families,
	.family_count = PINDROP_COUNT(families),
	.open = open_memory,
	.close = close_memory,
};
