/*
 * oss_map.c
 *		mc-emulator, Object Storage Service part: an ordered set of keys, as a skip list:
 *		a lookup costs the logarithm, the next key one step, so a page of a listing costs
 *		what is on it.
 */
#include <stdlib.h>

#include "oss.h"

static int
compare(const oss_node *node, mcw_view key)
{
	return mcw_view_cmp(oss_key(node), key);
}

void
oss_map_init(oss_map *map)
{
	memset(map, 0, sizeof(*map));
	map->head.height = OSS_LEVELS;
	map->head.next = emu_malloc(OSS_LEVELS * sizeof(oss_node *));
	memset(map->head.next, 0, OSS_LEVELS * sizeof(oss_node *));
	map->random = UINT64_C(0x9E3779B97F4A7C15);
}

/* The last node before 'key' on each level; 'after': the last that is not above it */
static oss_node *
descend(const oss_map *map, mcw_view key, bool after, oss_node **path)
{
	const oss_node *at = &map->head;

	for (int level = OSS_LEVELS - 1; level >= 0; level--)
	{
		while (at->next[level] && compare(at->next[level], key) < (after ? 1 : 0))
			at = at->next[level];
		if (path)
			path[level] = (oss_node *) at;
	}
	return at->next[0];
}

oss_node *
oss_map_seek(const oss_map *map, mcw_view key, bool after)
{
	return descend(map, key, after, NULL);
}

oss_node *
oss_map_find(const oss_map *map, mcw_view key)
{
	oss_node   *node = descend(map, key, false, NULL);

	return node && mcw_view_eq(oss_key(node), key) ? node : NULL;
}

oss_node *
oss_map_first(const oss_map *map)
{
	return map->head.next[0];
}

oss_node *
oss_map_behind(const oss_map *map, mcw_view prefix)
{
	char	   *bound = emu_strdup(prefix);
	size_t		len = prefix.len;
	oss_node   *node = NULL;

	while (len > 0 && (unsigned char) bound[len - 1] == 0xFF)
		len--;
	if (len > 0)
	{
		bound[len - 1] = (char) (bound[len - 1] + 1);
		node = oss_map_seek(map, (mcw_view) {bound, len}, false);
	}
	free(bound);
	return node;
}

void
oss_map_insert(oss_map *map, oss_node *node)
{
	oss_node   *path[OSS_LEVELS];
	int			height = 1;

	map->random ^= map->random << 13;
	map->random ^= map->random >> 7;
	map->random ^= map->random << 17;
	for (uint64_t bits = map->random; height < OSS_LEVELS && (bits & 3) == 0; bits >>= 2)
		height++;
	(void) descend(map, oss_key(node), false, path);
	node->height = height;
	node->next = emu_malloc(height * sizeof(oss_node *));
	for (int level = 0; level < height; level++)
	{
		node->next[level] = path[level]->next[level];
		path[level]->next[level] = node;
	}
	map->count++;
}

void
oss_map_remove(oss_map *map, oss_node *node)
{
	oss_node   *path[OSS_LEVELS];

	(void) descend(map, oss_key(node), false, path);
	for (int level = 0; level < node->height; level++)
		if (path[level]->next[level] == node)
			path[level]->next[level] = node->next[level];
	free(node->next);
	node->next = NULL;
	map->count--;
}
