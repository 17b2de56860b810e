/* links: agent/collect/host.c agent/metric/batch.c agent/base/memory.c agent/base/error.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "collect/host.h"

#include "../../plugins/memory.c"

#define KB 1024.0

#define IS(got, want)                                              \
	do {                                                           \
		double got_ = (got), want_ = (want);                       \
		if (!(fabs(got_ - want_) <= 1e-9))                         \
			fail_msg("%s is %.12g, not %.12g", #got, got_, want_); \
	} while (0)
#define UNKNOWN(got)                                          \
	do {                                                      \
		double got_ = (got);                                  \
		if (!isnan(got_))                                     \
			fail_msg("%s is %.12g, not unknown", #got, got_); \
	} while (0)

/* The file of a kernel 6, shortened by lines that nobody reads, with those left that look alike. */
#define MODERN                      \
	"MemTotal:        8000000 kB\n" \
	"MemFree:         1000000 kB\n" \
	"MemAvailable:    5000000 kB\n" \
	"Buffers:          200000 kB\n" \
	"Cached:          3000000 kB\n" \
	"SwapCached:         1111 kB\n" \
	"Active:          2500000 kB\n" \
	"Inactive:        1500000 kB\n" \
	"Active(anon):       2222 kB\n" \
	"Inactive(anon):     3333 kB\n" \
	"Active(file):     900000 kB\n" \
	"Inactive(file):  1100000 kB\n" \
	"SwapTotal:       2000000 kB\n" \
	"SwapFree:        1500000 kB\n" \
	"Shmem:            123456 kB\n" \
	"KReclaimable:     654321 kB\n" \
	"Slab:             500000 kB\n" \
	"SReclaimable:     300000 kB\n" \
	"SUnreclaim:       200000 kB\n" \
	"ShmemHugePages:     4444 kB\n" \
	"HugePages_Total:       7\n"

/* The row of a file whose MemAvailable is believed. */
static void vm_of(const char *text, double row[VM_FIELDS])
{
	double mem[MEM_LINES];

	parse_meminfo(text, mem);
	fill_vm(mem, mem[MEM_AVAILABLE], row);
}

/* --- psutil's formulas ------------------------------------------------------------------------------------------- */

static void vm_is_what_psutil_says(void **state)
{
	double row[VM_FIELDS];

	(void)state;
	vm_of(MODERN, row);
	IS(row[TOTAL], 8000000 * KB);
	IS(row[AVAILABLE], 5000000 * KB);
	IS(row[FREE], 1000000 * KB);
	IS(row[BUFFERS], 200000 * KB);
	IS(row[CACHED], 3300000 * KB); /* with SReclaimable */
	IS(row[USED], 3500000 * KB);   /* 8000000 - 1000000 - 3300000 - 200000 */
	IS(row[ACTIVE], 2500000 * KB);
	IS(row[INACTIVE], 1500000 * KB);
	IS(row[SHARED], 123456 * KB);
	IS(row[SLAB], 500000 * KB);
	IS(row[PERCENT], 37.5); /* of available, not of used */
}

static void lines_are_found_in_any_order(void **state)
{
	double row[VM_FIELDS];

	(void)state;
	vm_of("Slab: 1 kB\nCached: 20 kB\nInactive(file): 5 kB\nMemAvailable: 40 kB\nBuffers: 10 kB\n"
	      "Active: 6 kB\nActive(file): 7 kB\nMemFree: 30 kB\nInactive: 8 kB\nSReclaimable: 3 kB\nMemTotal: 100 kB",
	      row);
	IS(row[TOTAL], 100 * KB);
	IS(row[USED], 37 * KB);
	IS(row[ACTIVE], 6 * KB);
	IS(row[INACTIVE], 8 * KB);
	IS(row[SLAB], 1 * KB);
	IS(row[PERCENT], 60);
}

/* LXCFS and lmkd-like runtimes show the host's cache beside the container's total. */
static void used_that_would_be_negative_is_what_is_not_free(void **state)
{
	double row[VM_FIELDS];

	(void)state;
	vm_of("MemTotal: 1000 kB\nMemFree: 600 kB\nMemAvailable: 700 kB\nBuffers: 100 kB\nCached: 250 kB\n"
	      "SReclaimable: 51 kB\n",
	      row);
	IS(row[USED], 400 * KB);
	IS(row[CACHED], 301 * KB);
	/* Exactly 0 is no less than 0. */
	vm_of("MemTotal: 1000 kB\nMemFree: 600 kB\nMemAvailable: 700 kB\nBuffers: 100 kB\nCached: 250 kB\n"
	      "SReclaimable: 50 kB\n",
	      row);
	IS(row[USED], 0);
}

static void available_that_is_more_than_all_is_what_is_free(void **state)
{
	double row[VM_FIELDS];

	(void)state;
	vm_of("MemTotal: 1000 kB\nMemFree: 600 kB\nMemAvailable: 1001 kB\n", row);
	IS(row[AVAILABLE], 600 * KB);
	IS(row[PERCENT], 40);
	vm_of("MemTotal: 1000 kB\nMemFree: 600 kB\nMemAvailable: 1000 kB\n", row);
	IS(row[AVAILABLE], 1000 * KB);
	IS(row[PERCENT], 0);
}

static void what_is_not_in_the_file_is_unknown(void **state)
{
	double row[VM_FIELDS];

	(void)state;
	vm_of("MemTotal: 1000 kB\nMemFree: 600 kB\nMemAvailable: 800 kB\nCached: 100 kB\n", row);
	IS(row[USED], 300 * KB);
	UNKNOWN(row[BUFFERS]);
	UNKNOWN(row[ACTIVE]);
	UNKNOWN(row[INACTIVE]);
	UNKNOWN(row[SHARED]);
	UNKNOWN(row[SLAB]);
	IS(row[CACHED], 100 * KB);
}

static void shared_has_another_name_in_old_kernels(void **state)
{
	double row[VM_FIELDS];

	(void)state;
	vm_of("MemTotal: 1000 kB\nMemFree: 600 kB\nMemShared: 77 kB\nBuffers: 1 kB\nCached: 2 kB\n", row);
	IS(row[SHARED], 77 * KB);
	vm_of("MemTotal: 1000 kB\nMemFree: 600 kB\nMemShared: 77 kB\nBuffers: 1 kB\nCached: 2 kB\nShmem: 0 kB\n", row);
	IS(row[SHARED], 0);
}

static void more_than_32_bits_are_exact(void **state)
{
	double row[VM_FIELDS];

	(void)state;
	/* 24 TiB */
	vm_of("MemTotal: 25769803777 kB\nMemFree: 12884901889 kB\nMemAvailable: 12884901889 kB\n", row);
	assert_true(row[TOTAL] == 26388279067648.0);
	assert_true(row[USED] == 13194139533312.0);
}

static void text_that_is_broken_is_survived(void **state)
{
	double mem[MEM_LINES], row[VM_FIELDS];

	(void)state;
	parse_meminfo("", mem);
	for (size_t i = 0; i < MEM_LINES; i++)
		UNKNOWN(mem[i]);
	parse_meminfo("\n\n:\nMemTotal\nMemTotalX: 5 kB\nmemtotal: 5 kB\n MemFree: 5 kB\nCache", mem);
	for (size_t i = 0; i < MEM_LINES; i++)
		UNKNOWN(mem[i]);
	/* A number that is missing must not be taken from the next line's name. */
	parse_meminfo("MemTotal: 9 kB\nMemFree:\nBuffers: x kB\nCached: 7", mem);
	IS(mem[MEM_TOTAL], 9 * KB);
	IS(mem[MEM_BUFFERS], 0);
	IS(mem[MEM_CACHED], 7 * KB);
	vm_of("MemTotal: 0 kB\nMemFree: 0 kB\nMemAvailable: 0 kB\n", row);
	IS(row[PERCENT], 0);
}

/* --- kernels without MemAvailable -------------------------------------------------------------------------------- */

static void watermarks_are_added_over_all_zones(void **state)
{
	(void)state;
	IS(parse_watermarks(
		   "Node 0, zone      DMA\n  pages free     3934\n        min      84\n        low      105\n"
		   "        high     126\n    nr_free_pages 3934\n  pagesets\n    cpu: 0\n              high:  186\n"
		   "Node 0, zone    DMA32\n  pages free     1\n        min      16\n        low      20\n"
		   "Node 1, zone   Normal\n\tlow\t1000\n        lowmem_reserve 999\n  nr_low 999\n        low      5"),
	   1130);
	IS(parse_watermarks(""), 0);
	IS(parse_watermarks("low"), 0);
}

/* free - low + (active + inactive file - min(half of it, low)) + (reclaimable - min(half of it, low)) */
static void available_is_estimated_as_psutil_does(void **state)
{
	double mem[MEM_LINES];

	(void)state;
	parse_meminfo(MODERN, mem);
	/* The watermark is less than half: 1000000 - 100000 + 2000000 - 100000 + 300000 - 100000 */
	IS(estimate_available(mem, 100000 * KB), 3000000 * KB);
	/* … and more: 1000000 - 1200000 + 2000000 - 1000000 + 300000 - 150000 */
	IS(estimate_available(mem, 1200000 * KB), 950000 * KB);
	/* It may come out below 0; nothing is less available than nothing. */
	assert_true(estimate_available(mem, 9000000 * KB) < 0);
}

static void available_below_zero_is_zero(void **state)
{
	double mem[MEM_LINES], row[VM_FIELDS];

	(void)state;
	parse_meminfo(MODERN, mem);
	fill_vm(mem, estimate_available(mem, 9000000 * KB), row);
	IS(row[AVAILABLE], 0);
	IS(row[PERCENT], 100);
}

static void available_is_a_whole_number_of_bytes(void **state)
{
	double mem[MEM_LINES];

	(void)state;
	parse_meminfo("MemFree: 10 kB\nActive(file): 1 kB\nInactive(file): 0 kB\nSReclaimable: 1 kB\n", mem);
	mem[MEM_RECLAIMABLE] += 1;
	/* 10240 - 4096 + 512 + (1025 - 512.5) = 7168.5 */
	IS(estimate_available(mem, 4096), 7168);
}

static void without_zoneinfo_available_is_free_and_cached(void **state)
{
	static const char *const without[] = {"Active(file):", "Inactive(file):", "SReclaimable:", NULL};
	double mem[MEM_LINES];

	(void)state;
	parse_meminfo(MODERN, mem);
	IS(estimate_available(mem, NAN), 4000000 * KB);
	/* The same on kernels that lack one of the three lines. */
	for (size_t i = 0; without[i]; i++) {
		char text[] = MODERN;

		*strstr(text, without[i]) = '#';
		parse_meminfo(text, mem);
		IS(estimate_available(mem, 100000 * KB), 4000000 * KB);
	}
	parse_meminfo("MemTotal: 9 kB\nMemFree: 5 kB\n", mem);
	IS(estimate_available(mem, NAN), 5 * KB);
}

/* --- swap -------------------------------------------------------------------------------------------------------- */

static void swap_is_what_psutil_says(void **state)
{
	double mem[MEM_LINES], row[SWAP_FIELDS];

	(void)state;
	parse_meminfo(MODERN, mem);
	fill_swap(mem, row);
	IS(row[SWAP_TOTAL], 2000000 * KB);
	IS(row[SWAP_FREE], 1500000 * KB);
	IS(row[SWAP_USED], 500000 * KB);
	IS(row[SWAP_PERCENT], 25);
}

static void no_swap_is_zero_percent(void **state)
{
	double mem[MEM_LINES], row[SWAP_FIELDS];

	(void)state;
	parse_meminfo("SwapTotal: 0 kB\nSwapFree: 0 kB\n", mem);
	fill_swap(mem, row);
	IS(row[SWAP_TOTAL], 0);
	IS(row[SWAP_USED], 0);
	IS(row[SWAP_PERCENT], 0);
	/* A kernel that was built without swap says nothing of it. */
	parse_meminfo("MemTotal: 9 kB\n", mem);
	fill_swap(mem, row);
	UNKNOWN(row[SWAP_TOTAL]);
	UNKNOWN(row[SWAP_USED]);
	UNKNOWN(row[SWAP_PERCENT]);
}

static void swapping_is_counted_in_pages_of_4_kb(void **state)
{
	double in, out;

	(void)state;
	parse_vmstat("nr_free_pages 5\npgpgin 11\npgpgout 22\npswpin 3\npswpout 4\npgalloc_dma 6\n", &in, &out);
	IS(in, 3 * 4096.0);
	IS(out, 4 * 4096.0);
	parse_vmstat("nr_free_pages 5\nxpswpin 3\npswpout_x 4\n", &in, &out);
	UNKNOWN(in);
	UNKNOWN(out);
	parse_vmstat("", &in, &out);
	UNKNOWN(in);
	UNKNOWN(out);
}

/* --- sampling ---------------------------------------------------------------------------------------------------- */

enum { VM, SWAP };

/* An open plugin and a root of its own. */
struct world {
	char root[256];
	struct pindrop_host host;
	struct batch rows;
	struct pindrop_batch batch;
	struct error error;
	void *state;
};

static void path_of(const struct world *world, const char *name, char path[300])
{
	snprintf(path, 300, "%s/%s", world->root, name);
}

static void put(struct world *world, const char *name, const char *text)
{
	char path[300];
	FILE *file;

	path_of(world, name, path);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static int open_world(void **state)
{
	struct world *world = calloc(1, sizeof(*world));
	const char *folder = getenv("TMPDIR");
	char path[300];

	*state = world;
	snprintf(world->root, sizeof(world->root), "%s/memory.XXXXXX", folder ? folder : "/tmp");
	if (!mkdtemp(world->root))
		return -1;
	path_of(world, "proc", path);
	if (mkdir(path, 0777) != 0)
		return -1;
	world->host.root = world->root;
	world->batch.batch = &world->rows;
	return host_open(&world->host, &pindrop_plugin, NULL, &world->state, &world->error);
}

static int close_world(void **state)
{
	static const char *const names[] = {"proc/meminfo", "proc/vmstat", "proc/zoneinfo", NULL};
	struct world *world = *state;
	char path[300];

	pindrop_plugin.close(world->state);
	batch_release(&world->rows);
	for (size_t i = 0; names[i]; i++) {
		path_of(world, names[i], path);
		unlink(path);
	}
	path_of(world, "proc", path);
	rmdir(path);
	rmdir(world->root);
	free(world);
	return 0;
}

static int take(struct world *world, size_t family)
{
	const struct pindrop_family *table = &pindrop_plugin.families[family];

	batch_begin(&world->rows, family, table->field_count, 0);
	return host_sample(&world->host, table, world->state, &world->batch, &world->error);
}

static const double *row_of(struct world *world, size_t family)
{
	assert_int_equal(take(world, family), 0);
	assert_int_equal(world->rows.row_count, 1);
	return batch_values(&world->rows, 0);
}

#define OLD                                                                                                 \
	"MemTotal: 8000 kB\nMemFree: 1000 kB\nCached: 3000 kB\nActive(file): 900 kB\nInactive(file): 1100 kB\n" \
	"SReclaimable: 300 kB\nSwapTotal: 200 kB\nSwapFree: 50 kB\n"

static void the_kernels_available_is_believed(void **state)
{
	struct world *world = *state;

	/* A zoneinfo that would give something else. */
	put(world, "proc/meminfo", MODERN);
	put(world, "proc/zoneinfo", "low 1\n");
	IS(row_of(world, VM)[AVAILABLE], 5000000 * KB);
}

static void an_old_kernels_available_is_estimated(void **state)
{
	struct world *world = *state;
	double page = (double)sysconf(_SC_PAGESIZE);
	char zones[64];

	/* Two zones, 100 kB together, whatever the size of a page. */
	snprintf(zones, sizeof(zones), "  low      %.0f\n  low      %.0f\n", 65536 / page, 131072 / page);
	put(world, "proc/meminfo", OLD);
	put(world, "proc/zoneinfo", zones);
	/* 1000 - 192 + 2000 - 192 + 300 - 150 */
	IS(row_of(world, VM)[AVAILABLE], 2766 * KB);
}

static void an_old_kernel_without_zoneinfo_has_the_simple_sum(void **state)
{
	struct world *world = *state;

	put(world, "proc/meminfo", OLD);
	IS(row_of(world, VM)[AVAILABLE], 4000 * KB);
	IS(row_of(world, VM)[PERCENT], 50);
}

/* Some container runtimes write 0 for what they do not know. */
static void available_of_zero_is_estimated(void **state)
{
	struct world *world = *state;

	put(world, "proc/meminfo", OLD "MemAvailable: 0 kB\n");
	IS(row_of(world, VM)[AVAILABLE], 4000 * KB);
}

static void a_file_without_a_total_is_told(void **state)
{
	struct world *world = *state;

	assert_int_equal(take(world, VM), -1);
	assert_non_null(strstr(world->error.text, "proc/meminfo: No such file"));
	put(world, "proc/meminfo", "MemFree: 5 kB\n");
	assert_int_equal(take(world, VM), -1);
	assert_non_null(strstr(world->error.text, "has no MemTotal"));
	assert_int_equal(take(world, SWAP), -1);
	assert_non_null(strstr(world->error.text, "has no MemTotal"));
	assert_int_equal(world->rows.row_count, 0);
	put(world, "proc/meminfo", OLD);
	IS(row_of(world, VM)[TOTAL], 8000 * KB);
}

/* Both families are of one reading; swap alone has a reading of its own. */
static void swap_is_as_fresh_as_physical_memory(void **state)
{
	struct world *world = *state;

	put(world, "proc/meminfo", OLD);
	put(world, "proc/vmstat", "nr_free_pages 1\npswpin 1\npswpout 2\n");
	IS(row_of(world, SWAP)[SWAP_USED], 150 * KB);
	IS(row_of(world, VM)[TOTAL], 8000 * KB);
	put(world, "proc/meminfo", "MemTotal: 8000 kB\nSwapTotal: 200 kB\nSwapFree: 20 kB\n");
	IS(row_of(world, SWAP)[SWAP_USED], 150 * KB);
	IS(row_of(world, SWAP)[SWAP_USED], 180 * KB);
	put(world, "proc/meminfo", "MemTotal: 8000 kB\nSwapTotal: 200 kB\nSwapFree: 10 kB\n");
	IS(row_of(world, SWAP)[SWAP_USED], 190 * KB);
}

static void swapping_is_followed_while_there_is_swap(void **state)
{
	struct world *world = *state;

	put(world, "proc/meminfo", OLD);
	put(world, "proc/vmstat", "nr_free_pages 1\npswpin 1\npswpout 2\n");
	IS(row_of(world, SWAP)[SWAP_IN], 4096);
	IS(row_of(world, SWAP)[SWAP_OUT], 8192);
	put(world, "proc/vmstat", "nr_free_pages 1\npswpin 10\npswpout 20\n");
	IS(row_of(world, SWAP)[SWAP_IN], 40960);
	IS(row_of(world, SWAP)[SWAP_OUT], 81920);
}

/* The file is dear to make: without swap it is read once, and again when swap is switched on. */
static void swapping_is_not_asked_for_without_swap(void **state)
{
	struct world *world = *state;

	put(world, "proc/meminfo", "MemTotal: 8000 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n");
	put(world, "proc/vmstat", "nr_free_pages 1\npswpin 1\npswpout 2\n");
	IS(row_of(world, SWAP)[SWAP_IN], 4096);
	put(world, "proc/vmstat", "nr_free_pages 1\npswpin 10\npswpout 20\n");
	IS(row_of(world, SWAP)[SWAP_IN], 4096);
	IS(row_of(world, SWAP)[SWAP_OUT], 8192);
	put(world, "proc/meminfo", OLD);
	IS(row_of(world, SWAP)[SWAP_IN], 40960);
	IS(row_of(world, SWAP)[SWAP_OUT], 81920);
}

static void without_vmstat_only_swapping_is_unknown(void **state)
{
	struct world *world = *state;
	const double *row;

	put(world, "proc/meminfo", OLD);
	row = row_of(world, SWAP);
	IS(row[SWAP_PERCENT], 75);
	UNKNOWN(row[SWAP_IN]);
	UNKNOWN(row[SWAP_OUT]);
}

int main(void)
{
#define IN_A_WORLD(test) cmocka_unit_test_setup_teardown(test, open_world, close_world)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vm_is_what_psutil_says),
		cmocka_unit_test(lines_are_found_in_any_order),
		cmocka_unit_test(used_that_would_be_negative_is_what_is_not_free),
		cmocka_unit_test(available_that_is_more_than_all_is_what_is_free),
		cmocka_unit_test(what_is_not_in_the_file_is_unknown),
		cmocka_unit_test(shared_has_another_name_in_old_kernels),
		cmocka_unit_test(more_than_32_bits_are_exact),
		cmocka_unit_test(text_that_is_broken_is_survived),
		cmocka_unit_test(watermarks_are_added_over_all_zones),
		cmocka_unit_test(available_is_estimated_as_psutil_does),
		cmocka_unit_test(available_below_zero_is_zero),
		cmocka_unit_test(available_is_a_whole_number_of_bytes),
		cmocka_unit_test(without_zoneinfo_available_is_free_and_cached),
		cmocka_unit_test(swap_is_what_psutil_says),
		cmocka_unit_test(no_swap_is_zero_percent),
		cmocka_unit_test(swapping_is_counted_in_pages_of_4_kb),
		IN_A_WORLD(the_kernels_available_is_believed),
		IN_A_WORLD(an_old_kernels_available_is_estimated),
		IN_A_WORLD(an_old_kernel_without_zoneinfo_has_the_simple_sum),
		IN_A_WORLD(available_of_zero_is_estimated),
		IN_A_WORLD(a_file_without_a_total_is_told),
		IN_A_WORLD(swap_is_as_fresh_as_physical_memory),
		IN_A_WORLD(swapping_is_followed_while_there_is_swap),
		IN_A_WORLD(swapping_is_not_asked_for_without_swap),
		IN_A_WORLD(without_vmstat_only_swapping_is_unknown),
	};

	return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
