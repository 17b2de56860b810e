/* links: agent/collect/host.c agent/metric/batch.c agent/base/memory.c agent/base/error.c */
#include "../../plugins/memory.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#define KB 1024.0

static void lines_are_found_in_any_order(void **state)
{
	double mem[MEM_LINES];

	(void)state;
	parse_meminfo(
		"MemTotal:       100 kB\nMemFree:         2 kB\nBuffers: 3 kB\nCached: 4 kB\nSwapCached: 99 kB\n"
		"Active: 5 kB\nInactive: 6 kB\nActive(anon): 77 kB\nActive(file): 7 kB\nInactive(file): 8 kB\n"
		"SwapTotal: 9 kB\nSwapFree: 10 kB\nShmem: 11 kB\nShmemHugePages: 66 kB\nSlab: 12 kB\nSReclaimable: 13 kB\n",
		mem);
	assert_true(mem[MEM_TOTAL] == 100 * KB && mem[MEM_FREE] == 2 * KB && mem[MEM_BUFFERS] == 3 * KB);
	assert_true(mem[MEM_CACHED] == 4 * KB && mem[MEM_ACTIVE] == 5 * KB && mem[MEM_INACTIVE] == 6 * KB);
	assert_true(mem[MEM_ACTIVE_FILE] == 7 * KB && mem[MEM_INACTIVE_FILE] == 8 * KB);
	assert_true(mem[MEM_SWAP_TOTAL] == 9 * KB && mem[MEM_SWAP_FREE] == 10 * KB && mem[MEM_SHMEM] == 11 * KB);
	assert_true(mem[MEM_SLAB] == 12 * KB && mem[MEM_RECLAIMABLE] == 13 * KB);
	assert_true(isnan(mem[MEM_AVAILABLE]) && isnan(mem[MEM_SHARED]));
	parse_meminfo("Slab: 1 kB\nMemTotal: 2 kB", mem);
	assert_true(mem[MEM_SLAB] == 1 * KB && mem[MEM_TOTAL] == 2 * KB);
}

static void broken_texts_are_unknown(void **state)
{
	static const char *const texts[] = {"", "\n\n", "MemTotal", "garbage\nmore", "Mem\0Total"};
	double mem[MEM_LINES];

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		parse_meminfo(texts[i], mem);
		assert_true(isnan(mem[MEM_TOTAL]));
	}
}

/* A machine of 1000 kB. */
static void make(double mem[MEM_LINES])
{
	parse_meminfo(
		"MemTotal: 1000 kB\nMemFree: 100 kB\nBuffers: 50 kB\nCached: 200 kB\nSReclaimable: 30 kB\nShmem: 7 kB\n", mem);
}

static void arithmetic_is_psutils(void **state)
{
	double mem[MEM_LINES], row[VM_FIELDS];

	(void)state;
	make(mem);
	fill_vm(mem, 600 * KB, row);
	assert_true(row[CACHED] == 230 * KB);
	assert_true(row[USED] == (1000 - 100 - 230 - 50) * KB);
	assert_true(row[AVAILABLE] == 600 * KB && row[PERCENT] == 40);
	assert_true(row[SHARED] == 7 * KB);
	assert_true(isnan(row[ACTIVE]) && isnan(row[SLAB]));
	/* LXCFS: more cached than there is, more available than there is. */
	mem[MEM_CACHED] = 5000 * KB;
	fill_vm(mem, 2000 * KB, row);
	assert_true(row[USED] == 900 * KB && row[AVAILABLE] == 100 * KB && row[PERCENT] == 90);
	fill_vm(mem, -5, row);
	assert_true(row[AVAILABLE] == 0);
	/* 2.4 called it MemShared. */
	parse_meminfo("MemTotal: 10 kB\nMemFree: 5 kB\nMemShared: 3 kB\n", mem);
	fill_vm(mem, 5 * KB, row);
	assert_true(row[SHARED] == 3 * KB && isnan(row[BUFFERS]) && row[USED] == 5 * KB);
}

static void available_is_estimated_before_3_14(void **state)
{
	double mem[MEM_LINES];

	(void)state;
	make(mem);
	/* No file lists, or no zoneinfo: free and cached. */
	assert_true(estimate_available(mem, 10 * KB) == 300 * KB);
	mem[MEM_ACTIVE_FILE] = 60 * KB;
	mem[MEM_INACTIVE_FILE] = 40 * KB;
	assert_true(estimate_available(mem, NAN) == 300 * KB);
	/* free - low + (files - min(files/2, low)) + (reclaimable - min(reclaimable/2, low)) */
	assert_true(estimate_available(mem, 10 * KB) == (100 - 10 + 90 + 20) * KB);
	assert_true(estimate_available(mem, 80 * KB) == (100 - 80 + 50 + 15) * KB);
}

static void watermarks_are_summed(void **state)
{
	(void)state;
	assert_true(parse_watermarks("Node 0, zone DMA\n  pages free 1\n        min  33\n        low  41\n        high 49\n"
	                             "Node 0, zone Normal\n        low      12272\n lowmem 5\n") == 41 + 12272);
	assert_true(parse_watermarks("") == 0);
}

static void swap_may_be_nothing(void **state)
{
	double mem[MEM_LINES], row[SWAP_FIELDS];

	(void)state;
	parse_meminfo("SwapTotal: 0 kB\nSwapFree: 0 kB\n", mem);
	fill_swap(mem, row);
	assert_true(row[SWAP_TOTAL] == 0 && row[SWAP_USED] == 0 && row[SWAP_PERCENT] == 0);
	parse_meminfo("SwapTotal: 400 kB\nSwapFree: 100 kB\n", mem);
	fill_swap(mem, row);
	assert_true(row[SWAP_USED] == 300 * KB && row[SWAP_PERCENT] == 75);
	parse_meminfo("MemTotal: 1 kB\n", mem);
	fill_swap(mem, row);
	assert_true(isnan(row[SWAP_TOTAL]) && isnan(row[SWAP_PERCENT]));
}

static void swapping_is_in_pages_of_4_kb(void **state)
{
	double in, out;

	(void)state;
	parse_vmstat("nr_free_pages 1\npswpin 3\npswpout 5\nzswpin 9\n", &in, &out);
	assert_true(in == 3 * 4096 && out == 5 * 4096);
	parse_vmstat("nr_free_pages 1\n", &in, &out);
	assert_true(isnan(in) && isnan(out));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_found_in_any_order), cmocka_unit_test(broken_texts_are_unknown),
		cmocka_unit_test(arithmetic_is_psutils),        cmocka_unit_test(available_is_estimated_before_3_14),
		cmocka_unit_test(watermarks_are_summed),        cmocka_unit_test(swap_may_be_nothing),
		cmocka_unit_test(swapping_is_in_pages_of_4_kb),
	};

	return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
