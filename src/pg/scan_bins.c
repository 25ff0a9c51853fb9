/*-------------------------------------------------------------------------
 * scan_bins.c
 *	  A table read again, as bins.
 *
 * When a table is read page by page and the method takes bins, columns of floating-point numbers are not kept: the
 * first pass takes hashes, target, weights and all other columns.  From them follows which
 * rows train.  A last pass makes each value its bin: one byte, at its place in the order of the data set.
 *
 * Limits are chosen on a sample of the rows that train.  Whether a row is drawn depends on its number alone, and
 * how many are drawn on how many rows train, so the first pass takes somewhat more than will be wanted, by
 * the number of rows that is expected.  Where that was too few, or there is an id, by which
 * rows are drawn then, or no room for all columns at a time, passes in between pick the rows, for as many columns at a time as there is room for.
 *
 * All passes have one snapshot, so the rows are the same in the same order.  Pages are what takes time here, and they are cached by then;
 * eight bytes for each value would take more.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/tableam.h"
#include "ml/base/arena.h"
#include "ml/base/search.h"
#include "pg/error.h"
#include "pg/scan_heap.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/* Room for the rows that limits are chosen on, of all columns that are looked at in one pass. */
#define SAMPLE_BYTES ((double) 96 * 1024 * 1024)

/* So many times what will be wanted is taken: the number of rows, and how many train, are known roughly only. */
#define DRAW_MORE 1.1

/* The place of a row that no part has. */
#define NO_PLACE PG_UINT32_MAX

typedef struct BinPass
{
	int			n;				/* columns */
	int		   *feed;			/* their feeds */
	MlBinned  **binned;

	/* Second pass: chosen rows of the frame, ascending, and their values. */
	uint32		n_chosen;
	uint32	   *chosen;
	double	  **value;

	/* Third pass. */
	uint32	   *place;			/* in the data set, by row of the frame */
	size_t		n_train;
} BinPass;

/* ------------------------------------------------------- the first pass */

static void *
need(MlEnv *env, void *memory)
{
	if (memory == NULL)
		ml_check(env, env->error.status);
	return memory;
}

/* The feeds of deferred columns into feed[]; returns how many. */
static int
deferred_feeds(const MlPrivatePlan *plan, int *feed)
{
	int			n = 0;

	for (int i = 0; i < plan->n_feeds; i++)
	{
		if (plan->feeds[i].spec.deferred)
			feed[n++] = i;
	}
	return n;
}

void
ml_bin_draw_make(MlHeapReader *h, double rows)
{
	MlBinDraw  *draw = &h->draw;
	MlEnv	   *env = h->r->env;
	double	   *together;		/* in one piece: memory that is asked for in large ones comes in huge pages */
	double		wanted = DRAW_MORE * h->r->plan->bin_rules.sample / h->r->plan->train_share;
	double		room;

	draw->feed = palloc(h->r->private_plan->n_feeds * sizeof(int));
	draw->n_feeds = deferred_feeds(h->r->private_plan, draw->feed);
	draw->share = 0;
	/* Some more rows may come than are expected; and ten standard deviations of the drawing are never seen. */
	room = 1.1 * Min(wanted, rows) + 10 * sqrt(Min(wanted, rows)) + 64;
	if (h->r->private_plan->id != NULL || rows <= 0 || room * draw->n_feeds * sizeof(double) > SAMPLE_BYTES)
		return;
	draw->share = Min(wanted / rows, 1);
	draw->room = (uint32) room;
	draw->row = need(env, ml_alloc(env, draw->room, sizeof(uint32)));
	draw->value = need(env, ml_alloc(env, draw->n_feeds, sizeof(double *)));
	together = need(env, ml_alloc(env, (size_t) draw->n_feeds * draw->room, sizeof(double)));
	for (int c = 0; c < draw->n_feeds; c++)
		draw->value[c] = together + (size_t) c * draw->room;
}

static void
give_draw_back(MlHeapReader *h, MlEnv *env)
{
	MlBinDraw  *draw = &h->draw;

	if (draw->share == 0)
		return;
	ml_release(env, draw->value[0]);
	ml_release(env, draw->row);
	draw->share = 0;
}

void
ml_bin_draw_rows(MlHeapReader *h, MlRowBatch *batch)
{
	MlBinDraw  *draw = &h->draw;
	uint32_t	drawn[ML_FRAME_TOGETHER];
	size_t		found;

	batch->first_pick = draw->n;
	batch->n_picks = 0;
	if (draw->share == 0 || draw->overflow)
		return;
	found = ml_bin_draw(h->r->env, batch->first_row, batch->n_rows, draw->share, drawn);
	if (draw->n + found > draw->room || batch->first_row + batch->n_rows > PG_UINT32_MAX)
	{
		/* Many more rows than expected.  Nobody must write any more, and what has been written will not do. */
		draw->overflow = true;
		return;
	}
	for (size_t i = 0; i < found; i++)
		draw->row[draw->n++] = (uint32_t) batch->first_row + drawn[i];
	batch->n_picks = found;
}

/* In threads. */
void
ml_bin_draw_values(const MlHeapReader *h, MlRowBatch *batch)
{
	const MlBinDraw *draw = &h->draw;
	int			row[ML_FRAME_TOGETHER];

	if (batch->n_picks == 0 || batch->bad)
		return;
	for (uint32 i = 0; i < batch->n_picks; i++)
		row[i] = (int) (draw->row[batch->first_pick + i] - batch->first_row);
	for (int c = 0; c < draw->n_feeds; c++)
		ml_batch_pick(h, batch, draw->feed[c], row, batch->n_picks, draw->value[c] + batch->first_pick);
}

/* -------------------------------------------------------- later passes */

/* The first of the chosen rows that is not before this one. */
static uint32
first_chosen(const BinPass *pass, uint64 row)
{
	return (uint32) ml_search_u32(pass->chosen, 0, pass->n_chosen, row);
}

/* In threads. */
static void
pick_rows(const MlHeapReader *h, MlRowBatch *batch, void *state, int thread)
{
	const BinPass *pass = state;
	uint32		from = first_chosen(pass, batch->first_row);
	uint32		n = first_chosen(pass, batch->first_row + batch->n_rows) - from;
	int			row[ML_FRAME_TOGETHER];

	if (n == 0)
		return;
	ml_batch_open(h, batch, thread);
	for (uint32 i = 0; i < n; i++)
		row[i] = (int) (pass->chosen[from + i] - batch->first_row);
	for (int c = 0; c < pass->n; c++)
		ml_batch_pick(h, batch, pass->feed[c], row, n, pass->value[c] + from);
}

/* Where there are other values than the reference it is known for good, mostly after one batch.  In threads. */
static void
look_at_training(const BinPass *pass, MlBinned *binned, const uint32 *place, const double *number, int n)
{
	double		training[ML_FRAME_TOGETHER];
	int			count = 0;

	if (__atomic_load_n(&binned->varies, __ATOMIC_RELAXED))
		return;
	for (int i = 0; i < n; i++)
	{
		if (place[i] < pass->n_train)
			training[count++] = number[i];
	}
	ml_binned_look(binned, training, count);
}

/* In threads. */
static void
bin_rows(const MlHeapReader *h, MlRowBatch *batch, void *state, int thread)
{
	const BinPass *pass = state;
	const uint32 *place = pass->place + batch->first_row;
	bool		together = true;

	ml_batch_open(h, batch, thread);
	for (int i = 0; i < batch->n_rows; i++)
		together &= place[i] == place[0] + (uint32) i;
	together &= place[0] != NO_PLACE;
	for (int c = 0; c < pass->n; c++)
	{
		MlBinned   *binned = pass->binned[c];
		double		room[ML_FRAME_TOGETHER];
		const double *number;
		uint8		bin[ML_FRAME_TOGETHER];

		(void) ml_batch_numbers(h, batch, pass->feed[c], &number, room);
		look_at_training(pass, binned, place, number, batch->n_rows);
		if (together)
		{
			ml_bin_narrow(&binned->binner, number, batch->n_rows, binned->bin + place[0]);
			continue;
		}
		ml_bin_narrow(&binned->binner, number, batch->n_rows, bin);
		for (int i = 0; i < batch->n_rows; i++)
		{
			if (place[i] != NO_PLACE)
				binned->bin[place[i]] = bin[i];
		}
	}
}

/* ------------------------------------------------------------------ passes */

static void
run_pass(MlHeapReader *h, const MlFrame *frame, void (*work) (const MlHeapReader *, MlRowBatch *, void *, int), BinPass *pass)
{
	MlBatchWork batches = {.work = work, .state = pass};

	ml_readers_run(h, &batches);
	if (h->rows != frame->rows)
		elog(ERROR, "table \"%s\" had %zu rows and has " UINT64_FORMAT " for the same snapshot",
			 RelationGetRelationName(h->tables[0].relation), frame->rows, h->rows);
}

static int
compare_rows(const void *a, const void *b)
{
	uint32		x = *(const uint32 *) a;
	uint32		y = *(const uint32 *) b;

	return x < y ? -1 : x > y;
}

/* Are all rows that were chosen among those that the first pass took?  pick (out): where. */
static bool
find_drawn(const MlBinDraw *draw, const BinPass *pass, uint32 *pick)
{
	uint32		at = 0;

	if (draw->share == 0 || draw->overflow)
		return false;
	for (uint32 i = 0; i < pass->n_chosen; i++)
	{
		while (at < draw->n && draw->row[at] < pass->chosen[i])
			at++;
		if (at == draw->n || draw->row[at] != pass->chosen[i])
			return false;
		pick[i] = at;
	}
	return true;
}

static void
pick_again(MlHeapReader *h, MlEnv *env, const MlFrame *frame, const MlEncodeRows *rows, const BinPass *all)
{
	BinPass		pass = *all;
	int			together = Max((int) (SAMPLE_BYTES / sizeof(double) / Max(all->n_chosen, 1)), 1);

	together = Min(together, all->n);
	pass.value = need(env, ml_alloc(env, together, sizeof(double *)));
	for (int c = 0; c < together; c++)
		pass.value[c] = need(env, ml_alloc(env, all->n_chosen, sizeof(double)));
	for (int from = 0; from < all->n; from += together)
	{
		pass.n = Min(together, all->n - from);
		pass.feed = all->feed + from;
		pass.binned = all->binned + from;
		run_pass(h, frame, pick_rows, &pass);
		ml_check(env, ml_binned_find(env, rows->rules, pass.binned, (const double *const *) pass.value, NULL, pass.n_chosen, pass.n));
	}
	for (int c = 0; c < together; c++)
		ml_release(env, pass.value[c]);
}

/* Limits of all columns, on the rows that were chosen. */
static void
find_limits(MlHeapReader *h, MlEnv *env, const MlFrame *frame, const MlEncodeRows *rows, BinPass *pass)
{
	bool		ascending = true;
	uint32	   *pick = need(env, ml_alloc(env, rows->choice->n, sizeof(uint32)));

	pass->n_chosen = rows->choice->n;
	pass->chosen = rows->choice->row;
	for (uint32 i = 1; i < pass->n_chosen; i++)
		ascending &= pass->chosen[i - 1] < pass->chosen[i];
	if (!ascending)
		qsort(pass->chosen, pass->n_chosen, sizeof(uint32), compare_rows);	/* rows in the order of an id; nobody else needs it */
	if (find_drawn(&h->draw, pass, pick))
	{
		elog(DEBUG1, "limits of bins were chosen on rows of the first pass");
		ml_check(env, ml_binned_find(env, rows->rules, pass->binned, (const double *const *) h->draw.value, pick, pass->n_chosen, pass->n));
		give_draw_back(h, env);
	}
	else
	{
		give_draw_back(h, env);
		pick_again(h, env, frame, rows, pass);
	}
	ml_release(env, pick);
}

static void
make_bins(MlHeapReader *h, MlEnv *env, const MlFrame *frame, const MlEncodeRows *rows, BinPass *pass)
{
	size_t		column = TYPEALIGN(PG_CACHE_LINE_SIZE, Max(rows->n, 1));
	uint8	   *together = need(env, ml_alloc(env, pass->n, column));

	for (int c = 0; c < pass->n; c++)
	{
		pass->binned[c]->bin = together + c * column;
		pass->binned[c]->among_others = true;
	}
	pass->n_train = rows->n_train;
	pass->place = need(env, ml_alloc(env, frame->rows, sizeof(uint32)));
	memset(pass->place, 0xFF, frame->rows * sizeof(uint32));
	for (size_t i = 0; i < rows->n; i++)
		pass->place[rows->order[i]] = (uint32) i;
	run_pass(h, frame, bin_rows, pass);
	ml_release(env, pass->place);
}

void
ml_scan_bins(MlScanPlan *plan, MlEnv *env, MlFrame *frame, const MlEncodeRows *rows)
{
	MlPrivatePlan *private_plan = plan->private_plan;
	MlHeapReader *h = private_plan->heap;
	MlProgress	progress = {.phase = "bin", .train_loss = NAN, .validation_loss = NAN};
	BinPass		pass = {0};
	MlBinned   *binned;

	if (h == NULL)
		return;
	ml_progress(env, &progress);
	pass.feed = palloc(private_plan->n_feeds * sizeof(int));
	pass.n = deferred_feeds(private_plan, pass.feed);
	pass.binned = need(env, ml_alloc(env, pass.n, sizeof(MlBinned *)));
	ml_check(env, ml_binned_make(env, rows->rules, pass.n, 0, &binned));
	for (int c = 0; c < pass.n; c++)
		pass.binned[c] = &binned[c];
	find_limits(h, env, frame, rows, &pass);
	make_bins(h, env, frame, rows, &pass);
	/* Feeds and columns are in one order. */
	for (int c = 0, next = 0; c < frame->n_columns; c++)
	{
		if (frame->columns[c].spec.deferred)
			frame->columns[c].binned = pass.binned[next++];
	}
	pfree(pass.feed);
	ml_scan_heap_close(h);
	private_plan->heap = NULL;
}
