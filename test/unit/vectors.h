/*
 * vectors.h
 *		Reading golden vectors (test/data/vectors) with json-c.
 *
 * Views are into the JSON document, which the test keeps until it has done.
 */
#ifndef VECTORS_H
#define VECTORS_H

#include <json-c/json.h>

#include "unit.h"

static inline json_object *
vectors_open(const char *name)
{
	char		path[256];
	json_object *doc;

	(void) snprintf(path, sizeof(path), UNIT_VECTORS "%s", name);
	doc = json_object_from_file(path);
	if (!doc)
	{
		fprintf(stderr, "%s: %s\n", path, json_util_get_last_err());
		exit(2);
	}
	return doc;
}

static inline json_object *
vector_get(json_object *object, const char *key)
{
	return json_object_object_get(object, key);
}

/* Absent and null give a view with data NULL. */
static inline mcw_view
vector_view(json_object *string)
{
	mcw_view	v = {NULL, 0};

	if (string)
	{
		v.data = json_object_get_string(string);
		v.len = (size_t) json_object_get_string_len(string);
	}
	return v;
}

static inline mcw_view
vector_str(json_object *object, const char *key)
{
	return vector_view(vector_get(object, key));
}

#endif							/* VECTORS_H */
