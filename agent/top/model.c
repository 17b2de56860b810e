#include "top/model.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

/* Beyond so many instances, a family's past is not asked for: it grows while one looks. */
#define INSTANCES_WITH_PAST 200

/* --- reading JSON ------------------------------------------------------------------------------------------- */

static json_t *parse(const char *text, size_t length)
{
	return json_loadb(text, length, 0, NULL);
}

static double number(const json_t *value)
{
	return json_is_number(value) ? json_number_value(value) : NAN;
}

static double number_of(const json_t *object, const char *key, double otherwise)
{
	double value = number(json_object_get(object, key));

	return isnan(value) ? otherwise : value;
}

static char *text_of(const json_t *object, const char *key, const char *otherwise)
{
	const char *text = json_string_value(json_object_get(object, key));

	if (!text)
		text = otherwise;
	return text ? memory_text(text) : NULL;
}

/* --- what there is ------------------------------------------------------------------------------------------ */

static void free_instance(struct model_instance *instance)
{
	free(instance->name);
	free(instance->values);
	free(instance->totals);
	free(instance->histories);
	free(instance);
}

static void release_family(struct model_family *family)
{
	for (size_t i = 0; i < family->field_count; i++) {
		free(family->fields[i].name);
		free(family->fields[i].unit);
	}
	for (size_t i = 0; i < family->instance_count; i++)
		free_instance(family->instances[i]);
	free(family->fields);
	free(family->headlines);
	free(family->instances);
	free(family->name);
}

static void release_families(struct model *model)
{
	for (size_t i = 0; i < model->family_count; i++)
		release_family(&model->families[i]);
	free(model->families);
	model->families = NULL;
	model->family_count = 0;
}

static void read_field(struct model_field *field, const json_t *object)
{
	const char *kind = json_string_value(json_object_get(object, "kind"));

	field->name = text_of(object, "name", "");
	field->unit = text_of(object, "unit", "");
	field->counter = kind && strcmp(kind, "counter") == 0;
	field->decimals = (int)fmin(fmax(number_of(object, "decimals", 0), 0), 9);
}

static void read_family(struct model_family *family, const json_t *object)
{
	const json_t *fields = json_object_get(object, "fields");

	family->name = text_of(object, "name", "");
	family->many = json_is_string(json_object_get(object, "instance"));
	family->interval = fmax(number_of(object, "interval", 1), 0.1);
	family->field_count = json_array_size(fields);
	family->fields = memory_array(family->field_count + 1, sizeof(struct model_field));
	family->headlines = memory_array(family->field_count + 1, sizeof(size_t));
	for (size_t i = 0; i < family->field_count; i++) {
		const json_t *field = json_array_get(fields, i);

		read_field(&family->fields[i], field);
		if (json_is_true(json_object_get(field, "headline")))
			family->headlines[family->headline_count++] = i;
	}
}

static bool is_same(const struct model_family *a, const struct model_family *b)
{
	if (strcmp(a->name, b->name) != 0 || a->many != b->many || a->field_count != b->field_count)
		return false;
	for (size_t i = 0; i < a->field_count; i++)
		if (strcmp(a->fields[i].name, b->fields[i].name) != 0 || a->fields[i].counter != b->fields[i].counter ||
		    strcmp(a->fields[i].unit, b->fields[i].unit) != 0)
			return false;
	return true;
}

/* What goes on keeps its values and its past. */
static void inherit(struct model_family *family, struct model_family *before, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!is_same(family, &before[i]))
			continue;
		family->instances = before[i].instances;
		family->instance_count = before[i].instance_count;
		before[i].instances = NULL;
		before[i].instance_count = 0;
		return;
	}
}

bool model_metrics(struct model *model, const char *text, size_t length)
{
	json_t *root = parse(text, length), *list = json_object_get(root, "families");
	struct model_family *families;
	size_t count = json_array_size(list);

	if (!json_is_array(list)) {
		json_decref(root);
		return false;
	}
	families = memory_array(count + 1, sizeof(struct model_family));
	for (size_t i = 0; i < count; i++) {
		read_family(&families[i], json_array_get(list, i));
		inherit(&families[i], model->families, model->family_count);
	}
	release_families(model);
	model->families = families;
	model->family_count = count;
	model->outdated = false;
	json_decref(root);
	return true;
}

/* --- the newest values -------------------------------------------------------------------------------------- */

static struct model_instance *new_instance(const struct model_family *family, const char *name)
{
	struct model_instance *instance = memory_alloc(sizeof(*instance));

	instance->name = memory_text(name);
	instance->values = memory_array(family->field_count + 1, sizeof(double));
	instance->totals = memory_array(family->field_count + 1, sizeof(double));
	instance->histories = memory_array(family->headline_count + 1, sizeof(struct history));
	for (size_t i = 0; i < family->field_count; i++)
		instance->values[i] = instance->totals[i] = NAN;
	for (size_t i = 0; i < family->headline_count; i++)
		history_clear(&instance->histories[i]);
	return instance;
}

/* Where an instance of this name stands, or would. */
static size_t find_place(const struct model_family *family, const char *name)
{
	size_t low = 0, high = family->instance_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strverscmp(family->instances[middle]->name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct model_instance *find_instance(const struct model_family *family, const char *name)
{
	size_t place = find_place(family, name);

	if (place < family->instance_count && strcmp(family->instances[place]->name, name) == 0)
		return family->instances[place];
	return NULL;
}

static struct model_instance *have_instance(struct model_family *family, const char *name)
{
	struct model_instance *instance = find_instance(family, name);
	size_t place = find_place(family, name);

	if (instance)
		return instance;
	family->instances = memory_resize(family->instances, family->instance_count + 1, sizeof(struct model_instance *));
	memmove(family->instances + place + 1, family->instances + place,
	        (family->instance_count - place) * sizeof(struct model_instance *));
	family->instance_count++;
	return family->instances[place] = new_instance(family, name);
}

static void drop_unseen(struct model_family *family)
{
	size_t kept = 0;

	for (size_t i = 0; i < family->instance_count; i++) {
		if (family->instances[i]->seen)
			family->instances[kept++] = family->instances[i];
		else
			free_instance(family->instances[i]);
	}
	family->instance_count = kept;
}

/* A counter that went back began anew: its rate is unknown. */
static double rate(double before, double now, double seconds)
{
	return now < before ? NAN : (now - before) / seconds;
}

static void take_values(const struct model_family *family, struct model_instance *instance, double time,
                        const json_t *values)
{
	double seconds = time - instance->time;

	/* The same sample once more, or one from before the clock was set back. */
	if (seconds == 0)
		return;
	for (size_t i = 0; i < family->field_count; i++) {
		double value = number(json_array_get(values, i));

		if (family->fields[i].counter) {
			double total = value;

			value = instance->time > 0 && seconds > 0 ? rate(instance->totals[i], total, seconds) : NAN;
			instance->totals[i] = total;
		}
		instance->values[i] = value;
	}
	for (size_t i = 0; i < family->headline_count; i++)
		history_add(&instance->histories[i], time, family->interval, instance->values[family->headlines[i]]);
	instance->time = time;
}

static void take_family(struct model *model, struct model_family *family, const json_t *answer)
{
	double time = number_of(answer, "time", 0);
	json_t *instances = json_object_get(answer, "instances"), *values;
	const char *name;

	for (size_t i = 0; i < family->instance_count; i++)
		family->instances[i]->seen = false;
	json_object_foreach(instances, name, values)
	{
		struct model_instance *instance = have_instance(family, name);

		instance->seen = true;
		/* A catalogue that does not fit is one that was read just before the configuration changed. */
		if (json_array_size(values) != family->field_count)
			model->outdated = true;
		else if (time > 0)
			take_values(family, instance, time, values);
	}
	drop_unseen(family);
}

bool model_latest(struct model *model, const char *text, size_t length)
{
	json_t *root = parse(text, length), *families = json_object_get(root, "families");
	const char *state = json_string_value(json_object_get(root, "state"));
	double catalogue = number_of(root, "catalogue", 0);

	if (!json_is_object(families)) {
		json_decref(root);
		return false;
	}
	/* A catalogue that is read after this one was seen is as new as it, or newer. */
	if (catalogue != model->catalogue)
		model->outdated = true;
	model->catalogue = catalogue;
	model->time = number_of(root, "time", model->time);
	model->stopped = state && strcmp(state, "stopped") == 0;
	for (size_t i = 0; i < model->family_count; i++)
		take_family(model, &model->families[i], json_object_get(families, model->families[i].name));
	model->known = true;
	json_decref(root);
	return true;
}

/* --- the last minutes --------------------------------------------------------------------------------------- */

/* The headline of a metric, its family and instance; NULL: it is none. */
static struct history *find_history(const struct model *model, const json_t *series, struct model_instance **instance,
                                    size_t *field)
{
	const char *metric = json_string_value(json_object_get(series, "metric"));
	const char *name = json_string_value(json_object_get(series, "instance"));
	const char *dot = metric ? strrchr(metric, '.') : NULL;

	for (size_t i = 0; dot && i < model->family_count; i++) {
		const struct model_family *family = &model->families[i];

		if (strlen(family->name) != (size_t)(dot - metric) || strncmp(family->name, metric, dot - metric) != 0)
			continue;
		*instance = find_instance(family, name ? name : "");
		for (size_t k = 0; *instance && k < family->headline_count; k++) {
			*field = family->headlines[k];
			if (strcmp(family->fields[*field].name, dot + 1) == 0)
				return &(*instance)->histories[k];
		}
	}
	return NULL;
}

static void take_series(const struct model *model, const json_t *series)
{
	struct model_instance *instance = NULL;
	size_t field = 0;
	struct history *history = find_history(model, series, &instance, &field);
	const json_t *average = json_object_get(series, "avg");
	double start = number_of(series, "start", NAN), step = number_of(series, "step", NAN), newest = NAN;
	struct history live;

	if (!history || !(step > 0))
		return;
	/* What was seen live is finer: it is laid over what is read. */
	live = *history;
	history_clear(history);
	for (size_t i = 0; i < json_array_size(average); i++) {
		double value = number(json_array_get(average, i));

		history_add(history, start + (double)i * step, step, value);
		newest = isnan(value) ? newest : value;
	}
	for (int64_t i = live.newest - HISTORY_SECONDS + 1; live.newest && i <= live.newest; i++)
		history_add(history, (double)i, 1, history_mean(&live, i - 1, i));
	/* After one look at a counter its rate is not known, but for this. */
	if (isnan(instance->values[field]))
		instance->values[field] = newest;
}

bool model_series(struct model *model, const char *text, size_t length)
{
	json_t *root = parse(text, length), *list = json_object_get(root, "series");
	bool good = json_is_array(list);

	for (size_t i = 0; i < json_array_size(list); i++)
		take_series(model, json_array_get(list, i));
	json_decref(root);
	return good;
}

char *model_wanted(const struct model *model)
{
	char *wanted = memory_text("");

	for (size_t i = 0; i < model->family_count; i++) {
		const struct model_family *family = &model->families[i];

		for (size_t k = 0; k < family->headline_count && family->instance_count <= INSTANCES_WITH_PAST; k++) {
			char *longer = memory_format("%s%s%s.%s", wanted, *wanted ? "," : "", family->name,
			                             family->fields[family->headlines[k]].name);

			free(wanted);
			wanted = longer;
		}
	}
	return wanted;
}

/* --- aggregates and health ---------------------------------------------------------------------------------- */

static void release_aggregates(struct model *model)
{
	for (size_t i = 0; i < model->aggregate_count; i++) {
		struct model_aggregate *aggregate = &model->aggregates[i];

		free(aggregate->name);
		free(aggregate->of);
		free(aggregate->instance);
		free(aggregate->fn);
		free(aggregate->over);
		free(aggregate->unit);
		free(aggregate->text);
	}
	free(model->aggregates);
	model->aggregates = NULL;
	model->aggregate_count = 0;
}

static void read_aggregate(struct model_aggregate *aggregate, const json_t *object)
{
	aggregate->name = text_of(object, "name", "");
	aggregate->of = text_of(object, "of", "");
	aggregate->instance = text_of(object, "instance", NULL);
	aggregate->fn = text_of(object, "fn", "");
	aggregate->over = text_of(object, "over", "");
	aggregate->unit = text_of(object, "unit", "");
	aggregate->text = text_of(object, "text", NULL);
	aggregate->value = number(json_object_get(object, "value"));
}

bool model_aggregates(struct model *model, const char *text, size_t length)
{
	json_t *root = parse(text, length), *list = json_object_get(root, "aggregates");
	bool good = json_is_array(list);

	if (good) {
		release_aggregates(model);
		model->aggregate_count = json_array_size(list);
		model->aggregates = memory_array(model->aggregate_count + 1, sizeof(struct model_aggregate));
		for (size_t i = 0; i < model->aggregate_count; i++)
			read_aggregate(&model->aggregates[i], json_array_get(list, i));
	}
	json_decref(root);
	return good;
}

static void release_health(struct model *model)
{
	for (size_t i = 0; i < model->reason_count; i++)
		free(model->reasons[i]);
	free(model->reasons);
	free(model->version);
	free(model->status);
	model->reasons = NULL;
	model->reason_count = 0;
	model->version = model->status = NULL;
}

bool model_health(struct model *model, const char *text, size_t length)
{
	json_t *root = parse(text, length), *reasons = json_object_get(root, "reasons");
	bool good = json_is_string(json_object_get(root, "status"));
	double uptime = number_of(root, "uptime", 0);

	if (good) {
		release_health(model);
		model->version = text_of(root, "version", "");
		model->status = text_of(root, "status", "");
		model->reasons = memory_array(json_array_size(reasons) + 1, sizeof(char *));
		for (size_t i = 0; i < json_array_size(reasons); i++) {
			const char *reason = json_string_value(json_array_get(reasons, i));

			model->reasons[model->reason_count++] = memory_text(reason ? reason : "");
		}
		model->uptime = uptime;
	}
	json_decref(root);
	return good;
}

/* --- the whole ---------------------------------------------------------------------------------------------- */

struct model *model_new(void)
{
	struct model *model = memory_alloc(sizeof(*model));

	model->outdated = true;
	return model;
}

void model_free(struct model *model)
{
	if (!model)
		return;
	release_families(model);
	release_aggregates(model);
	release_health(model);
	free(model);
}

double model_interval(const struct model *model)
{
	double shortest = INFINITY;

	for (size_t i = 0; i < model->family_count; i++)
		shortest = fmin(shortest, model->families[i].interval);
	return isfinite(shortest) ? shortest : 1;
}

size_t model_field(const struct model_family *family, const char *name)
{
	for (size_t i = 0; i < family->field_count; i++)
		if (strcmp(family->fields[i].name, name) == 0)
			return i;
	return SIZE_MAX;
}

const struct model_family *model_family(const struct model *model, const char *name)
{
	for (size_t i = 0; i < model->family_count; i++)
		if (strcmp(model->families[i].name, name) == 0)
			return &model->families[i];
	return NULL;
}
