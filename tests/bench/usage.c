/* usage: what a process and all its descendants have used so far, in one line of numbers:
 *
 *     usage PID      CPU-NANOSECONDS  WAKE-UPS  PSS-KB  PRIVATE-DIRTY-KB  BYTES-WRITTEN  PROCESSES  THREADS
 *
 * CPU time is from /proc/PID/task/TID/schedstat, which is exact; utime and stime are multiples of a clock tick, and a
 * tick in a run of a minute is already 0.6 of the seconds an hour that we look for. A wake-up is a voluntary context
 * switch: each ends by being woken. Bytes written are those that reach the disk, also through mapped files. */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROCESSES_MAX 65536

struct usage {
	unsigned long long cpu, wakes, pss, dirty, written, processes, threads;
};

struct process {
	int pid, parent;
};

/* The number behind a word at the beginning of a line of /proc/PID/…; 0 where the file or the line is missing. */
static unsigned long long number(int pid, const char *name, const char *word)
{
	unsigned long long found = 0;
	char path[512], line[1024];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, word, strlen(word)) == 0)
			found = strtoull(line + strlen(word), NULL, 10);
	if (file)
		fclose(file);
	return found;
}

/* The same of one of its threads. */
static unsigned long long thread_number(int pid, const char *thread, const char *name, const char *word)
{
	char path[512];

	snprintf(path, sizeof(path), "task/%s/%s", thread, name);
	return number(pid, path, word);
}

static void add_threads(int pid, struct usage *usage)
{
	char path[64];
	struct dirent *entry;
	DIR *folder;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	folder = opendir(path);
	while (folder && (entry = readdir(folder))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		usage->cpu += thread_number(pid, entry->d_name, "schedstat", "");
		usage->wakes += thread_number(pid, entry->d_name, "status", "voluntary_ctxt_switches:");
		usage->threads++;
	}
	if (folder)
		closedir(folder);
}

static void add(int pid, struct usage *usage)
{
	add_threads(pid, usage);
	usage->pss += number(pid, "smaps_rollup", "Pss:");
	usage->dirty += number(pid, "smaps_rollup", "Private_Dirty:");
	usage->written += number(pid, "io", "write_bytes:");
	usage->processes++;
}

static int list(struct process *processes)
{
	DIR *folder = opendir("/proc");
	struct dirent *entry;
	int count = 0;

	while (folder && (entry = readdir(folder)) && count < PROCESSES_MAX) {
		int pid = atoi(entry->d_name);

		if (pid > 0)
			processes[count++] = (struct process){pid, (int)number(pid, "status", "PPid:")};
	}
	if (folder)
		closedir(folder);
	return count;
}

static void add_family(int pid, const struct process *processes, int count, struct usage *usage)
{
	add(pid, usage);
	for (int i = 0; i < count; i++)
		if (processes[i].parent == pid)
			add_family(processes[i].pid, processes, count, usage);
}

int main(int argc, char **argv)
{
	static struct process processes[PROCESSES_MAX];
	struct usage usage = {0};
	int pid = argc == 2 ? atoi(argv[1]) : 0;

	if (pid <= 0) {
		fputs("usage: usage PID\n", stderr);
		return 1;
	}
	add_family(pid, processes, list(processes), &usage);
	printf("%llu %llu %llu %llu %llu %llu %llu\n", usage.cpu, usage.wakes, usage.pss, usage.dirty, usage.written,
	       usage.processes, usage.threads);
	return usage.threads == 0;
}
