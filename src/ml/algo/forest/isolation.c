/*-------------------------------------------------------------------------
 * isolation.c
 *	  Growing an isolation forest (Liu, Ting and Zhou 2008).
 *
 * A tree parts a few rows at random thresholds of random features until each is
 * alone; what is odd is alone soon.  A leaf's value is the length of the way there,
 * with what a tree of its remaining rows would add on average, divided by the
 * mean length of all ways: so the score of a row is 2 to the minus mean of the values.
 *
 * A category goes left or right by coin.  What a node has not seen, a category or
 * a missing value, goes with the smaller side: there it is sooner alone.
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ml/algo/forest/isolation_internal.h"
#include "ml/base/arena.h"
#include "ml/base/elementary.h"
#include "ml/base/pool.h"
#include "ml/base/rng.h"

#define STREAM_TREE 0x69736f6c
#define NONE UINT32_MAX

/* Rows whose scores one task finds; a multiple of ML_BATCH_ROWS. */
#define SCORE_ROWS 4096

typedef struct Node
{
	double		threshold;		/* INFINITY: every number goes left */
	int32_t		feature;
	uint32_t	left;			/* 0: a leaf */
	uint32_t	rows;
	uint32_t	depth;
	uint32_t	set_first;
	uint32_t	set_count;
	bool		category;
	bool		set_left;
	bool		missing_left;
} Node;

typedef struct Frame
{
	uint32_t	node;
	size_t		begin;
	size_t		end;
} Frame;

typedef struct Grown
{
	uint32_t	n_nodes;
	uint32_t	n_codes;
	Node	   *node;
	uint16_t   *code;
} Grown;

/* The room of one thread. */
typedef struct Room
{
	uint64_t	random;
	uint32_t   *row;
	uint32_t   *spare;
	uint32_t   *table;			/* rows drawn so far, by hash */
	bool	   *side;
	int32_t    *feature;
	int32_t		n_features;
	Frame		frame[80];		/* a way is no longer than 32 */
	Grown		tree;
} Room;

typedef struct Job
{
	MlEnv	   *env;
	const MlDataset *data;
	const MlIsolationPlan *plan;
	size_t		sample;
	uint32_t	table_mask;
	uint32_t	max_depth;
	Room	   *room;			/* by thread */
	Grown	   *grown;			/* by tree */
	MlTreeForest *forest;
	double	   *score;			/* by row */
	double	   *x;				/* by thread, for scores */
	char	   *scratch;
	size_t		scratch_size;
} Job;

double
ml_isolation_path(double n)
{
	if (n <= 1)
		return 0;
	if (n <= 2)
		return 1;
	return 2 * (ml_log(n - 1) + 0.57721566490153286) - 2 * (n - 1) / n;
}

static uint64_t
next_random(Room *room)
{
	room->random += UINT64_C(0x9E3779B97F4A7C15);
	return ml_mix64(room->random);
}

static uint32_t
random_below(Room *room, uint64_t n)
{
	return (uint32_t) (((next_random(room) >> 32) * n) >> 32);
}

/* ---- rows ---- */

/* True when it was not there. */
static bool
remember(uint32_t *table, uint32_t mask, uint32_t row)
{
	uint32_t	at = (uint32_t) ml_mix64(row) & mask;

	for (; table[at] != NONE; at = (at + 1) & mask)
		if (table[at] == row)
			return false;
	table[at] = row;
	return true;
}

/* Rows of a tree without repetition (Floyd's algorithm). */
static void
draw_rows(const Job *job, Room *room)
{
	size_t		n = job->data->n_train;
	size_t		drawn = 0;

	if (job->sample == n)
	{
		for (size_t i = 0; i < n; i++)
			room->row[i] = (uint32_t) i;
		return;
	}
	memset(room->table, 0xFF, sizeof(uint32_t) * ((size_t) job->table_mask + 1));
	for (size_t last = n - job->sample; last < n; last++)
	{
		uint32_t	row = random_below(room, last + 1);

		if (!remember(room->table, job->table_mask, row))
		{
			row = (uint32_t) last;
			remember(room->table, job->table_mask, row);
		}
		room->row[drawn++] = row;
	}
}

/* ---- splits ---- */

/* A random threshold between the values of the rows; false: they have one value. */
static bool
split_number(Room *room, const double *x, size_t begin, size_t end, Node *node)
{
	double		low = INFINITY;
	double		high = -INFINITY;
	size_t		missing = 0;
	uint32_t	way = 1;		/* of missing values: 0 left, 1 right, 2 alone */
	double		u;

	for (size_t i = begin; i < end; i++)
	{
		double		v = x[room->row[i]];

		missing += v != v;
		low = v < low ? v : low;
		high = v > high ? v : high;
	}
	if (missing == end - begin || (low == high && missing == 0))
		return false;
	if (missing > 0)
		way = low == high ? 2 : random_below(room, 3);
	u = (double) (next_random(room) >> 11) * 0x1.0p-53;
	node->threshold = low * (1 - u) + high * u;
	if (!(node->threshold >= low && node->threshold < high))
		node->threshold = low;
	if (way == 2)
		node->threshold = INFINITY;
	node->missing_left = way == 0;
	for (size_t i = begin; i < end; i++)
	{
		double		v = x[room->row[i]];

		room->side[i] = v == v ? v <= node->threshold : node->missing_left;
	}
	return true;
}

/* Categories by coin; missing is one of them. */
static bool
split_category(Room *room, const int32_t *code, size_t begin, size_t end)
{
	int32_t		first = code[room->row[begin]];
	uint64_t	coin = next_random(room);
	bool		differ = false;
	size_t		left = 0;

	for (size_t i = begin; i < end; i++)
	{
		int32_t		c = code[room->row[i]];

		differ |= c != first;
		room->side[i] = (ml_mix64(coin + (uint64_t) (int64_t) c) >> 63) != 0;
		left += room->side[i];
	}
	if (!differ)
		return false;
	if (left > 0 && left < end - begin)
		return true;
	for (size_t i = begin; i < end; i++)
		room->side[i] = code[room->row[i]] == first;
	return true;
}

static int
by_code(const void *a, const void *b)
{
	return *(const uint16_t *) a - *(const uint16_t *) b;
}

/* Names the categories of the larger side. */
static void
name_categories(Room *room, const int32_t *code, size_t begin, size_t end, bool larger_left, Node *node)
{
	Grown	   *tree = &room->tree;
	uint16_t   *to = tree->code + tree->n_codes;
	uint32_t	n = 0;
	uint32_t	distinct = 0;

	for (size_t i = begin; i < end; i++)
		if (room->side[i] == larger_left && code[room->row[i]] >= 0)
			to[n++] = (uint16_t) code[room->row[i]];
	qsort(to, n, sizeof(uint16_t), by_code);
	for (uint32_t i = 0; i < n; i++)
		if (distinct == 0 || to[distinct - 1] != to[i])
			to[distinct++] = to[i];
	node->category = true;
	node->set_left = larger_left;
	node->set_first = tree->n_codes;
	node->set_count = distinct;
	tree->n_codes += distinct;
}

/* Which side do missing values take?  Where a node has none, the smaller one. */
static bool
side_of_missing(const Job *job, const Room *room, const Node *node, size_t begin, size_t end, bool larger_left)
{
	const MlDataColumn *column = &job->data->columns[node->feature];

	for (size_t i = begin; i < end; i++)
	{
		uint32_t	row = room->row[i];

		if (column->number != NULL ? column->number[row] != column->number[row] : column->code[row] < 0)
			return room->side[i];
	}
	return !larger_left;
}

/* Rows of a node to both sides; where the right one begins. */
static size_t
part_rows(Room *room, size_t begin, size_t end)
{
	size_t		l = begin;
	size_t		r = 0;

	for (size_t i = begin; i < end; i++)
	{
		if (room->side[i])
			room->row[l++] = room->row[i];
		else
			room->spare[r++] = room->row[i];
	}
	memcpy(room->row + l, room->spare, r * sizeof(uint32_t));
	return l;
}

/* Splits a node on the first feature drawn that has two values; false: none has. */
static bool
split_node(const Job *job, Room *room, Node *node, size_t begin, size_t end, size_t *middle)
{
	size_t		left = 0;
	bool		larger_left;

	for (int32_t i = 0; i < room->n_features; i++)
	{
		int32_t		j = i + (int32_t) random_below(room, (uint64_t) (room->n_features - i));
		int32_t		f = room->feature[j];
		const MlDataColumn *column = &job->data->columns[f];

		room->feature[j] = room->feature[i];
		room->feature[i] = f;
		if (column->number != NULL ? !split_number(room, column->number, begin, end, node) : !split_category(room, column->code, begin, end))
			continue;
		for (size_t k = begin; k < end; k++)
			left += room->side[k];
		larger_left = left >= end - begin - left;
		node->feature = f;
		node->missing_left = side_of_missing(job, room, node, begin, end, larger_left);
		if (column->number == NULL)
			name_categories(room, column->code, begin, end, larger_left, node);
		*middle = part_rows(room, begin, end);
		return true;
	}
	return false;
}

static void
grow_tree(const Job *job, Room *room)
{
	Grown	   *tree = &room->tree;
	int			frames = 1;

	room->frame[0] = (Frame) {0, 0, job->sample};
	tree->node[0] = (Node) {.rows = (uint32_t) job->sample};
	tree->n_nodes = 1;
	tree->n_codes = 0;
	while (frames > 0)
	{
		Frame		f = room->frame[--frames];
		Node	   *node = &tree->node[f.node];
		size_t		middle;

		if (f.end - f.begin < 2 || node->depth >= job->max_depth || !split_node(job, room, node, f.begin, f.end, &middle))
			continue;
		node->left = tree->n_nodes;
		tree->n_nodes += 2;
		tree->node[node->left] = (Node) {.rows = (uint32_t) (middle - f.begin), .depth = node->depth + 1};
		tree->node[node->left + 1] = (Node) {.rows = (uint32_t) (f.end - middle), .depth = node->depth + 1};
		room->frame[frames++] = (Frame) {node->left + 1, middle, f.end};
		room->frame[frames++] = (Frame) {node->left, f.begin, middle};
	}
}

/* Each tree may have features of its own (max_features). */
static void
draw_features(const Job *job, Room *room)
{
	int32_t		all = job->data->schema->n_features;

	for (int32_t f = 0; f < all; f++)
		room->feature[f] = f;
	room->n_features = job->plan->max_features < all ? job->plan->max_features : all;
	for (int32_t i = 0; i < room->n_features && room->n_features < all; i++)
	{
		int32_t		j = i + (int32_t) random_below(room, (uint64_t) (all - i));
		int32_t		swap = room->feature[i];

		room->feature[i] = room->feature[j];
		room->feature[j] = swap;
	}
}

static void
grow_task(void *arg, size_t task, int thread)
{
	Job		   *job = arg;
	Room	   *room = &job->room[thread];
	Grown	   *kept = &job->grown[task];

	room->random = ml_rng_u64(job->env->seed, STREAM_TREE, task);
	draw_features(job, room);
	draw_rows(job, room);
	grow_tree(job, room);
	*kept = room->tree;
	ml_pool_lock(job->env->pool);
	kept->node = ml_alloc(job->env, kept->n_nodes, sizeof(Node));
	kept->code = ml_alloc(job->env, (size_t) kept->n_codes + 1, sizeof(uint16_t));
	ml_pool_unlock(job->env->pool);
	if (kept->node == NULL || kept->code == NULL)
		return;					/* env->error says so */
	memcpy(kept->node, room->tree.node, kept->n_nodes * sizeof(Node));
	memcpy(kept->code, room->tree.code, kept->n_codes * sizeof(uint16_t));
}

/* ---- keeping ---- */

static int
by_value(const void *a, const void *b)
{
	double		x = *(const double *) a;
	double		y = *(const double *) b;

	return (x > y) - (x < y);
}

/* The thresholds of all trees on feature f.  More than ranks can number: evenly chosen ones of them. */
static MlStatus
collect_thresholds(Job *job, int32_t f, double *all)
{
	uint32_t	n = 0;
	uint32_t	distinct = 0;
	double	   *kept;

	for (uint32_t t = 0; t < job->forest->n_trees; t++)
		for (uint32_t i = 0; i < job->grown[t].n_nodes; i++)
		{
			const Node *node = &job->grown[t].node[i];

			if (node->left != 0 && node->feature == f && !node->category && node->threshold < INFINITY)
				all[n++] = node->threshold;
		}
	qsort(all, n, sizeof(double), by_value);
	for (uint32_t i = 0; i < n; i++)
		if (distinct == 0 || all[distinct - 1] != all[i])
			all[distinct++] = all[i];
	if (distinct > ML_TREE_MAX_THRESHOLDS)
	{
		for (uint64_t i = 0; i < ML_TREE_MAX_THRESHOLDS; i++)
			all[i] = all[i * distinct / ML_TREE_MAX_THRESHOLDS];
		distinct = ML_TREE_MAX_THRESHOLDS;
	}
	kept = ml_alloc(job->env, (size_t) distinct + 1, sizeof(double));
	if (kept == NULL)
		return job->env->error.status;
	memcpy(kept, all, distinct * sizeof(double));
	job->forest->threshold[f] = kept;
	job->forest->n_thresholds[f] = distinct;
	return ML_OK;
}

/* The last threshold that is not above t. */
static uint16_t
rank_of(const MlTreeForest *forest, int32_t f, double t)
{
	uint32_t	low = 0;
	uint32_t	high = forest->n_thresholds[f];

	if (!(t < INFINITY))
		return (uint16_t) high;
	while (high - low > 1)
	{
		uint32_t	middle = low + (high - low) / 2;

		if (forest->threshold[f][middle] <= t)
			low = middle;
		else
			high = middle;
	}
	return (uint16_t) low;
}

/* There are few different values, so equal ones are kept once, as far as that can be seen soon. */
static uint32_t
number_of_value(MlTree *tree, double value)
{
	for (uint32_t i = tree->n_values; i-- > 0 && i + 64 >= tree->n_values;)
		if (tree->value[i] == value)
			return i;
	tree->value[tree->n_values] = value;
	return tree->n_values++;
}

static MlStatus
keep_tree(Job *job, const Grown *grown, double norm, MlTree *tree)
{
	MlEnv	   *env = job->env;
	uint32_t	n = grown->n_nodes;
	uint32_t   *order = ml_alloc(env, n, sizeof(uint32_t));
	uint32_t	end = 1;

	tree->n_nodes = n;
	tree->step = ml_alloc(env, n, sizeof(MlTreeStep));
	tree->payload = ml_alloc(env, n, sizeof(uint32_t));
	tree->rows = ml_alloc(env, n, sizeof(uint32_t));
	tree->value = ml_alloc(env, n, sizeof(double));
	tree->set = ml_alloc(env, n, sizeof(MlTreeSet));
	tree->code = grown->code;
	tree->n_codes = grown->n_codes;
	if (!order || !tree->step || !tree->payload || !tree->rows || !tree->value || !tree->set)
		return env->error.status;
	order[0] = 0;
	for (uint32_t i = 0; i < n; i++)
	{
		const Node *node = &grown->node[order[i]];

		tree->rows[i] = node->rows;
		if (node->left == 0)
		{
			tree->step[i] = (MlTreeStep) {.left = i};
			tree->payload[i] = number_of_value(tree, norm > 0 ? (node->depth + ml_isolation_path(node->rows)) / norm : 1);
			continue;
		}
		tree->step[i] = (MlTreeStep) {
			.left = end, .slot = (uint16_t) (1 + 2 * node->feature + node->missing_left), .rank = ML_TREE_CATEGORY
		};
		tree->payload[i] = 0;
		order[end++] = node->left;
		order[end++] = node->left + 1;
		if (node->category)
		{
			tree->payload[i] = tree->n_sets;
			tree->set[tree->n_sets++] = (MlTreeSet) {node->set_first, node->set_count, node->set_left};
		}
		else
			tree->step[i].rank = rank_of(job->forest, node->feature, node->threshold);
	}
	return ML_OK;
}

static MlStatus
keep_trees(Job *job)
{
	size_t		nodes = 1;
	double	   *all;

	for (uint32_t t = 0; t < job->forest->n_trees; t++)
		nodes += job->grown[t].n_nodes;
	all = ml_alloc(job->env, nodes, sizeof(double));
	if (all == NULL)
		return job->env->error.status;
	for (int32_t f = 0; f < job->forest->n_features; f++)
		if (job->data->columns[f].number != NULL)
			ML_TRY(collect_thresholds(job, f, all));
	ml_release(job->env, all);
	for (uint32_t t = 0; t < job->forest->n_trees; t++)
		ML_TRY(keep_tree(job, &job->grown[t], ml_isolation_path((double) job->sample), &job->forest->tree[t]));
	return ml_tree_forest_prepare(job->env, job->forest, job->data->schema);
}

/* ---- where odd begins ---- */

static void
score_task(void *arg, size_t task, int thread)
{
	Job		   *job = arg;
	size_t		n = job->data->n_train;
	size_t		features = (size_t) job->forest->n_features;
	size_t		end = (task + 1) * SCORE_ROWS < n ? (task + 1) * SCORE_ROWS : n;
	double	   *x = job->x + (size_t) thread * features * ML_BATCH_ROWS;

	for (size_t begin = task * SCORE_ROWS; begin < end; begin += ML_BATCH_ROWS)
	{
		size_t		rows = end - begin < ML_BATCH_ROWS ? end - begin : ML_BATCH_ROWS;
		double		out[2 * ML_BATCH_ROWS];

		for (size_t f = 0; f < features; f++)
			for (size_t i = 0; i < rows; i++)
				x[f * ML_BATCH_ROWS + i] = ml_dataset_value(job->data, (int) f, begin + i);
		ml_tree_predict_batch(job->forest, x, rows, out, job->scratch + (size_t) thread * job->scratch_size);
		for (size_t i = 0; i < rows; i++)
			job->score[begin + i] = out[2 * i];
	}
}

/* The value that belongs at place k of a[0 .. n-1] comes there, none greater stands before it, none less behind (Hoare 1961); in place. */
static void
select_score(double *a, size_t n, size_t k)
{
	size_t		low = 0;
	size_t		high = n - 1;

	while (low < high)
	{
		double		x = a[low];
		double		y = a[low + (high - low) / 2];
		double		z = a[high];
		double		pivot = x < y ? (y < z ? y : x < z ? z : x) : (x < z ? x : y < z ? z : y);
		size_t		i = low;
		size_t		j = high;

		for (;;)
		{
			double		swap;

			while (a[i] < pivot)
				i++;
			while (a[j] > pivot)
				j--;
			if (i >= j)
				break;
			swap = a[i];
			a[i++] = a[j];
			a[j--] = swap;
		}
		/* a[low .. j] are at most the pivot, what stands behind is at least that. */
		if (k <= j)
			high = j;
		else
			low = j + 1;
	}
}

/* The score that the share "contamination" of the training rows exceeds, between two of them as numpy's percentile. */
static MlStatus
find_cut(Job *job)
{
	MlEnv	   *env = job->env;
	size_t		n = job->data->n_train;
	size_t		threads = (size_t) ml_pool_threads(env->pool);
	double		at = (1 - job->plan->contamination) * (double) (n - 1);
	size_t		low = (size_t) at;
	double		next;

	job->scratch_size = (ml_tree_scratch_size(job->forest) + 63) / 64 * 64;
	job->score = ml_alloc(env, n, sizeof(double));
	job->x = ml_alloc(env, threads * ML_BATCH_ROWS, sizeof(double) * ((size_t) job->forest->n_features + 1));
	job->scratch = ml_alloc(env, threads, job->scratch_size);
	if (!job->score || !job->x || !job->scratch)
		return env->error.status;
	ML_TRY(ml_pool_run(env, (n + SCORE_ROWS - 1) / SCORE_ROWS, score_task, job));
	/* Sorting would take as much memory again, of which nobody knows. */
	select_score(job->score, n, low);
	job->forest->cut = next = job->score[low];
	for (size_t i = low + 1; i < n; i++)
		next = i == low + 1 || job->score[i] < next ? job->score[i] : next;
	job->forest->cut += (at - (double) low) * (next - job->forest->cut);
	ml_release(env, job->score);
	return ML_OK;
}

/* ---- */

static MlStatus
make_rooms(MlEnv *env, Job *job)
{
	int			threads = ml_pool_threads(env->pool);
	size_t		codes = job->sample;

	for (uint32_t s = 1; s < job->sample && s != 0; s *= 2)
		codes += job->sample;	/* each row is named once at each depth */
	job->room = ml_alloc0(env, (size_t) threads, sizeof(Room));
	job->grown = ml_alloc0(env, job->plan->n_trees, sizeof(Grown));
	if (job->room == NULL || job->grown == NULL)
		return env->error.status;
	for (int t = 0; t < threads; t++)
	{
		Room	   *room = &job->room[t];

		room->row = ml_alloc(env, job->sample, sizeof(uint32_t));
		room->spare = ml_alloc(env, job->sample, sizeof(uint32_t));
		room->table = ml_alloc(env, (size_t) job->table_mask + 1, sizeof(uint32_t));
		room->side = ml_alloc(env, job->sample, sizeof(bool));
		room->feature = ml_alloc(env, (size_t) job->data->schema->n_features + 1, sizeof(int32_t));
		room->tree.node = ml_alloc(env, 2 * job->sample, sizeof(Node));
		room->tree.code = ml_alloc(env, codes, sizeof(uint16_t));
		if (!room->row || !room->spare || !room->table || !room->side || !room->feature || !room->tree.node || !room->tree.code)
			return env->error.status;
	}
	return ML_OK;
}

size_t
ml_isolation_sample(const MlIsolationPlan *plan, size_t n)
{
	double		m = plan->max_samples <= 0 ? 256 : plan->max_samples <= 1 ? plan->max_samples * (double) n : plan->max_samples;

	if (m < 1)
		return 1;
	return m < (double) n ? (size_t) m : n;
}

MlStatus
ml_isolation_fit(MlEnv *env, const MlDataset *data, const MlIsolationPlan *plan, MlTreeForest **forest)
{
	Job		   *job = ml_alloc0(env, 1, sizeof(Job));

	if (job == NULL)
		return env->error.status;
	if (data->n_train == 0)
		return ml_fail(env, ML_BAD_DATA, "there are no rows to train on");
	if (data->n_train > UINT32_MAX / 2)
		return ml_fail(env, ML_TOO_LARGE, "%zu rows are too many, %u are the most", data->n_train, UINT32_MAX / 2);
	if (data->schema->n_features > ML_TREE_MAX_FEATURES)
		return ml_fail(env, ML_TOO_LARGE, "%d features are too many, %d are the most", data->schema->n_features, ML_TREE_MAX_FEATURES);
	*job = (Job) {.env = env, .data = data, .plan = plan, .sample = ml_isolation_sample(plan, data->n_train)};
	for (job->table_mask = 1023; job->table_mask < 2 * job->sample; job->table_mask = 2 * job->table_mask + 1)
		;
	while (((size_t) 1 << job->max_depth) < job->sample)
		job->max_depth++;
	ML_TRY(make_rooms(env, job));
	ml_progress(env, &(MlProgress) {.phase = "fit", .share = 0, .train_loss = NAN, .validation_loss = NAN});
	ML_TRY(ml_pool_run(env, plan->n_trees, grow_task, job));
	if (env->error.status != ML_OK)
		return env->error.status;
	ML_TRY(ml_tree_forest_create(env, ML_TREE_ISOLATION, data->schema, plan->n_trees, forest));
	job->forest = *forest;
	ML_TRY(keep_trees(job));
	job->forest->cut = 0.5;
	return plan->contamination > 0 ? find_cut(job) : ML_OK;
}

size_t
ml_isolation_memory(const MlSchema *schema, const MlIsolationPlan *plan, size_t n, int threads)
{
	double		sample = (double) ml_isolation_sample(plan, n);
	double		depth = ceil(log2(fmax(sample, 2))) + 1;
	double		features = schema->n_features + 1.0;
	double		codes = 0;
	double		bytes;

	for (int f = 0; f < schema->n_features; f++)
		codes = schema->features[f].kind == ML_FEATURE_CATEGORY ? 2 * sample * depth : codes;
	bytes = threads * (sample * (2 * 4 + 16 + 1 + 2 * sizeof(Node) + 2 * depth) + 8192 + features * 4 + sizeof(Room))
		+ plan->n_trees * (2 * sample * (sizeof(Node) + 8 + 4 + 4 + 4 + 8 + sizeof(MlTreeSet) + 8 + 8) + codes + 1024)
		+ features * 64
		+ (plan->contamination > 0 ? (double) n * 8 + threads * features * (8 + 4 + 4) * ML_BATCH_ROWS : 0)
		+ 1048576;
	return bytes < 0x1p60 ? (size_t) bytes : SIZE_MAX;
}
