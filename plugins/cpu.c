/* cpu: what the processors did. Source: /proc/stat, lines "cpu" and "cpuN" (proc_stat(5)).
 *
 * usage has psutil's meaning: of the time between two samples, the share that was neither idle nor iowait. Guest time
 * is within user and nice already. A counter that goes backwards, as iowait does, counts as having stood still. */
#include <pindrop/plugin.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The columns of /proc/stat, in its order; usage comes before them. Old kernels have fewer. */
enum { USAGE, USER, NICE, SYSTEM, IDLE, IOWAIT, IRQ, SOFTIRQ, STEAL, GUEST, GUEST_NICE, FIELDS };

/* A row stays a row. */
/* clang-format off */
#define COUNTER(name_, stat_, help_) \
	{.name = name_, .kind = PINDROP_COUNTER, .unit = "seconds", .decimals = 2, .stat = stat_, .help = help_}

static const struct pindrop_field fields[FIELDS] = {
	[USAGE] = {.name = "usage", .kind = PINDROP_GAUGE, .unit = "percent", .decimals = 1, .stat = "usage",
	           .help = "time spent neither idle nor waiting for disks, since the last sample"},
	[USER] = COUNTER("user", "time_stat.user", "in programs, guests included"),
	[NICE] = COUNTER("nice", NULL, "in programs of low priority"),
	[SYSTEM] = COUNTER("system", "time_stat.system", "in the kernel"),
	[IDLE] = COUNTER("idle", "time_stat.idle", "doing nothing"),
	[IOWAIT] = COUNTER("iowait", NULL, "doing nothing while a disk was waited for"),
	[IRQ] = COUNTER("irq", NULL, "in interrupts"),
	[SOFTIRQ] = COUNTER("softirq", NULL, "in soft interrupts"),
	[STEAL] = COUNTER("steal", NULL, "taken by other guests of the host"),
	[GUEST] = COUNTER("guest", NULL, "running guests"),
	[GUEST_NICE] = COUNTER("guest_nice", NULL, "running guests of low priority"),
};
/* clang-format on */

/* What one line said at the last sample: enough for usage. */
struct past {
	bool known;
	double seconds[FIELDS];
};

struct cpu {
	struct pindrop_host *host;
	struct pindrop_file file, core_file;
	double hz; /* ticks a second */
	struct past all;
	struct past *cores; /* by number */
	size_t core_count;
};

/* Reads the columns behind "cpu" or "cpuN" into seconds; columns that are not there stay NaN. */
static void parse_columns(const char *text, double hz, double seconds[FIELDS])
{
	for (size_t i = USAGE; i < FIELDS; i++)
		seconds[i] = NAN;
	for (size_t i = USER; i < FIELDS; i++) {
		char *end;
		unsigned long long ticks;

		while (*text == ' ')
			text++;
		if (*text < '0' || *text > '9')
			return;
		ticks = strtoull(text, &end, 10);
		seconds[i] = (double)ticks / hz;
		text = end;
	}
}

/* The time that passed in one column: 0 where it is not there, or went backwards. */
static double passed(const double now[FIELDS], const double then[FIELDS], size_t column)
{
	double seconds = now[column] - then[column];

	return seconds > 0 ? seconds : 0;
}

/* In percent; 0 where no time has passed, as psutil says. */
static double usage(const double now[FIELDS], const double then[FIELDS])
{
	double total = 0, idle = passed(now, then, IDLE) + passed(now, then, IOWAIT);

	for (size_t i = USER; i <= STEAL; i++)
		total += passed(now, then, i);
	return total > 0 ? 100 * (total - idle) / total : 0;
}

static void fill(double *row, const char *columns, double hz, struct past *past)
{
	parse_columns(columns, hz, row);
	if (past->known)
		row[USAGE] = usage(row, past->seconds);
	memcpy(past->seconds, row, sizeof(past->seconds));
	past->known = true;
}

static int sample_all(void *state, struct pindrop_batch *batch)
{
	struct cpu *cpu = state;
	const char *text = pindrop_file_read(cpu->host, &cpu->file, "proc/stat");

	if (!text)
		return -1;
	if (strncmp(text, "cpu ", 4) != 0)
		return pindrop_error(cpu->host, "%s/proc/stat does not begin with \"cpu\"", pindrop_root(cpu->host));
	fill(pindrop_row(batch, NULL, NULL), text + 4, cpu->hz, &cpu->all);
	return 0;
}

/* The past of a core; it knows nothing yet if the core is new. NULL: no memory. */
static struct past *past_of(struct cpu *cpu, unsigned long number)
{
	if (number >= cpu->core_count) {
		struct past *longer = realloc(cpu->cores, (number + 1) * sizeof(*longer));

		if (!longer)
			return NULL;
		memset(longer + cpu->core_count, 0, (number + 1 - cpu->core_count) * sizeof(*longer));
		cpu->cores = longer;
		cpu->core_count = number + 1;
	}
	return &cpu->cores[number];
}

/* A core that is switched off has no line. When it comes back, what it did before says nothing of the last second. */
static void forget_absent(struct cpu *cpu, const bool *present)
{
	for (size_t i = 0; cpu->cores && i < cpu->core_count; i++)
		cpu->cores[i].known = cpu->cores[i].known && present[i];
}

/* What Linux can be built for on x86 (CONFIG_NR_CPUS_RANGE_END): a broken file costs no more memory than that. */
#define CORES_MAX 8192

static int sample_cores(void *state, struct pindrop_batch *batch)
{
	struct cpu *cpu = state;
	const char *line = pindrop_file_read(cpu->host, &cpu->core_file, "proc/stat");
	bool present[CORES_MAX] = {false};

	if (!line)
		return -1;
	while (line && strncmp(line, "cpu", 3) == 0) {
		char *columns, name[16];
		unsigned long number = strtoul(line + 3, &columns, 10);
		/* "cpu  100 …", with spaces, is the line of all together. */
		struct past *past = line[3] != ' ' && columns > line + 3 && number < CORES_MAX ? past_of(cpu, number) : NULL;

		if (past) {
			snprintf(name, sizeof(name), "%lu", number);
			fill(pindrop_row(batch, name, NULL), columns, cpu->hz, past);
			present[number] = true;
		}
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
	forget_absent(cpu, present);
	return 0;
}

static void *open_cpu(struct pindrop_host *host, const union pindrop_value *options)
{
	struct cpu *cpu = calloc(1, sizeof(*cpu));

	(void)options;
	if (!cpu) {
		pindrop_error(host, "out of memory");
		return NULL;
	}
	cpu->host = host;
	cpu->hz = (double)sysconf(_SC_CLK_TCK);
	return cpu;
}

static void close_cpu(void *state)
{
	struct cpu *cpu = state;

	pindrop_file_release(&cpu->file);
	pindrop_file_release(&cpu->core_file);
	free(cpu->cores);
	free(cpu);
}

static const struct pindrop_option options[] = {
	{.name = "per_core", .type = PINDROP_BOOL, .preset = "false", .help = "also sample each core: cpu.core"},
};

static const struct pindrop_family families[] = {
	{
		.name = "cpu",
		.help = "all processors together",
		.fields = fields,
		.field_count = FIELDS,
		.stat = "cpu_stat",
		.never_blocks = true,
		.sample = sample_all,
	},
	{
		.name = "cpu.core",
		.help = "each core",
		.fields = fields,
		.field_count = FIELDS,
		.instance = "core",
		.option = "per_core",
		.never_blocks = true,
		.sample = sample_cores,
	},
};

PINDROP_EXPORT const struct pindrop_plugin pindrop_plugin = {
	.abi = PINDROP_ABI,
	.name = "cpu",
	.help = "processors: usage and times",
	.options = options,
	.option_count = PINDROP_COUNT(options),
	.families = families,
	.family_count = PINDROP_COUNT(families),
	.open = open_cpu,
	.close = close_cpu,
};
