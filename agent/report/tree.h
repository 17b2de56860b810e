/* report/tree.h: what the reports share: numbers, names and places in a JSON tree. Any thread. */
#ifndef REPORT_TREE_H
#define REPORT_TREE_H

#include <jansson.h>
#include <pindrop/plugin.h>
#include <stdint.h>

/* A number for people: rounded to so many decimals, an integer where there are none; null where it is unknown. It is
 * rounded as printf(3) rounds, so that the same value reads the same in a text and in JSON. New reference. */
json_t *tree_number(double value, int decimals);

/* A number as it is; null where it is unknown. New reference. */
json_t *tree_value(double value);

/* A time of the wall clock in seconds; null for 0. New reference. */
json_t *tree_time(int64_t wall);

/* A text, or null. What is not UTF-8 (a mount point may be) is shown with "?" for its strange bytes. New reference. */
json_t *tree_text(const char *text);

/* "gauge" or "counter". */
const char *tree_kind(const struct pindrop_field *field);

/* The unit that a field has in history and windows, where a counter is its rate: "percent", "bytes/s". New reference. */
json_t *tree_unit(const struct pindrop_field *field);

/* Sets `value`, which it takes over, at a dotted place below `root`; objects on the way are made. */
void tree_set(json_t *root, const char *place, json_t *value);

/* The whole text, which ends the tree. For free(). */
char *tree_end(json_t *root);

#endif
