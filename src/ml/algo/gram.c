/*-------------------------------------------------------------------------
 * gram.c
 *	  Gram matrices of the columns and the target from one pass over the rows.
 *
 * A block of rows is read column by column, sorted by part on the way (first wave of tasks: columns); then each
 * part's rows are multiplied into its own matrix (second wave: parts).  A matrix is thus added up by one task at
 * a time in the order of the blocks, whatever the number of threads.
 *-------------------------------------------------------------------------
 */
#include "ml/algo/gram.h"

#include <string.h>

#include "ml/base/arena.h"
#include "ml/base/dense.h"
#include "ml/base/pool.h"
#include "ml/base/rng.h"

/* What a block takes at most: half of a common second-level cache. */
#define BLOCK_DOUBLES ((size_t) 1 << 17)

/* The stream of random numbers that folds are drawn from. */
#define FOLD_STREAM 0x666f6c64

typedef struct Scan
{
	const MlGram *gram;
	const MlDense *dense;
	size_t		block;			/* rows */
	int			parts;
	double	  **part;			/* parts: q x q, upper */
	double	   *z;				/* block x q, part after part; each with its own leading dimension */
	double	   *column;			/* threads x block: a column in the order of the data */
	double	   *root;			/* block: roots of the weights; NULL without weights */
	int32_t    *order;			/* block: the rows, part after part; NULL: as they are */
	size_t		first;			/* row of the data where the block begins */
	size_t		rows;
	size_t		start[ML_GRAM_MAX_FOLDS + 1];	/* of each part in "order" */
} Scan;

static int
parts_of(size_t q, int folds)
{
	return folds > 0 ? folds : q <= 512 ? 8 : q <= 1024 ? 4 : 2;
}

static size_t
block_of(size_t n, size_t q, int parts)
{
	size_t		block = BLOCK_DOUBLES / q;

	block = block < (size_t) parts * 64 ? (size_t) parts * 64 : block > 8192 ? 8192 : block;
	return block > n ? n : block;
}

size_t
ml_gram_memory(size_t n, size_t p, int folds, int threads)
{
	size_t		q = p + 2;
	int			parts = parts_of(q, folds);
	size_t		block = block_of(n > 0 ? n : 1, q, parts);

	return ((size_t) (parts + 1) * q * q + block * (q + (size_t) threads + 2)) * sizeof(double) + (size_t) (parts + 8) * 4096;
}

/*
 * The fold of each row: of K consecutive rows each falls into another one, in an
 * order drawn for them, so that folds differ by one row at most.
 */
static void
draw_folds(MlEnv *env, Scan *s)
{
	int			k = s->parts;
	size_t		group = s->first / k;
	uint8_t		fold[8192 + 2 * ML_GRAM_MAX_FOLDS];
	size_t		count[ML_GRAM_MAX_FOLDS] = {0};

	/* Blocks begin at multiples of K. */
	for (size_t i = 0; i < s->rows; i += k, group++)
	{
		uint64_t	random = ml_rng_u64(env->seed, FOLD_STREAM, group);

		for (int j = 0; j < k; j++)
			fold[i + j] = (uint8_t) j;
		for (int j = k - 1; j > 0; j--)
		{
			int			other = (int) (random % (j + 1));
			uint8_t		swap = fold[i + j];

			random /= j + 1;	/* 20! < 2^64 */
			fold[i + j] = fold[i + other];
			fold[i + other] = swap;
		}
	}
	for (size_t i = 0; i < s->rows; i++)
		count[fold[i]]++;
	s->start[0] = 0;
	for (int f = 0; f < k; f++)
	{
		s->start[f + 1] = s->start[f] + count[f];
		count[f] = s->start[f];
	}
	for (size_t i = 0; i < s->rows; i++)
		s->order[count[fold[i]]++] = (int32_t) i;
}

/* Column j of [1, z, y] for the rows of the block. */
static void
read_column(const Scan *s, size_t j, double *out)
{
	const MlGram *g = s->gram;

	if (j == 0)
		for (size_t i = 0; i < s->rows; i++)
			out[i] = 1;
	else if (j <= (size_t) g->scale->n)
		ml_design_read(g->design, g->data, g->scale->column[j - 1], s->first, s->rows, g->scale->center[j - 1], g->scale->factor[j - 1], out);
	else
	{
		const double *y = g->data->y + s->first;
		double		shift = g->y_center * g->y_factor;

		for (size_t i = 0; i < s->rows; i++)
			out[i] = y[i] * g->y_factor - shift;
	}
	if (s->root != NULL)
		for (size_t i = 0; i < s->rows; i++)
			out[i] *= s->root[i];
}

static void
column_task(void *arg, size_t j, int thread)
{
	Scan	   *s = arg;
	double	   *column = s->column + (size_t) thread * s->block;

	read_column(s, j, column);
	for (int f = 0; f < s->parts; f++)
	{
		size_t		n = s->start[f + 1] - s->start[f];
		double	   *out = s->z + s->start[f] * s->gram->q + j * n;

		if (s->order == NULL)
			memcpy(out, column + s->start[f], n * sizeof(double));
		else
			for (size_t i = 0; i < n; i++)
				out[i] = column[s->order[s->start[f] + i]];
	}
}

static void
part_task(void *arg, size_t f, int thread)
{
	Scan	   *s = arg;
	size_t		n = s->start[f + 1] - s->start[f];

	(void) thread;
	if (n > 0)
		s->dense->syrk(n, s->gram->q, s->z + s->start[f] * s->gram->q, s->part[f]);
}

static MlStatus
allocate(MlEnv *env, MlGram *g, Scan *s)
{
	size_t		n = g->data->n_train;

	s->parts = parts_of(g->q, g->folds);
	s->block = block_of(n, g->q, s->parts);
	if (s->block >= (size_t) s->parts)
		s->block -= s->block % s->parts;
	s->part = ml_alloc0(env, s->parts, sizeof(double *));
	s->z = ml_alloc(env, s->block * g->q, sizeof(double));
	s->column = ml_alloc(env, s->block * env->threads, sizeof(double));
	s->root = g->data->weight == NULL ? NULL : ml_alloc(env, s->block, sizeof(double));
	s->order = g->folds == 0 ? NULL : ml_alloc(env, s->block, sizeof(int32_t));
	g->total = ml_alloc0(env, g->q * g->q, sizeof(double));
	if (s->part == NULL || s->z == NULL || s->column == NULL || g->total == NULL ||
		(s->root == NULL && g->data->weight != NULL) || (s->order == NULL && g->folds > 0))
		return env->error.status;
	for (int f = 0; f < s->parts; f++)
	{
		s->part[f] = ml_alloc0(env, g->q * g->q, sizeof(double));
		if (s->part[f] == NULL)
			return env->error.status;
	}
	return ML_OK;
}

static MlStatus
add_block(MlEnv *env, Scan *s)
{
	const MlGram *g = s->gram;

	s->rows = g->data->n_train - s->first < s->block ? g->data->n_train - s->first : s->block;
	for (size_t i = 0; s->root != NULL && i < s->rows; i++)
		s->root[i] = sqrt(ml_design_weight(g->design, g->data, s->first + i));
	if (g->folds > 0)
		draw_folds(env, s);
	else
		for (int f = 0; f <= s->parts; f++)
			s->start[f] = s->rows * f / s->parts;
	ML_TRY(ml_pool_run(env, g->q, column_task, s));
	return ml_pool_run(env, s->parts, part_task, s);
}

/* Total of all parts, and the lower triangles. */
static MlStatus
finish(MlEnv *env, MlGram *g, Scan *s)
{
	size_t		q = g->q;

	for (int f = 0; f < s->parts; f++)
	{
		for (size_t j = 0; j < q; j++)
			for (size_t i = 0; i <= j; i++)
			{
				g->total[j * q + i] += s->part[f][j * q + i];
				s->part[f][i * q + j] = s->part[f][j * q + i];
			}
		if (g->folds == 0)
			ml_release(env, s->part[f]);
	}
	for (size_t j = 0; j < q; j++)
		for (size_t i = 0; i <= j; i++)
		{
			if (!isfinite(g->total[j * q + i]))
				return ml_fail(env, ML_OUT_OF_RANGE, "the columns hold values too large for a sum of their products");
			g->total[i * q + j] = g->total[j * q + i];
		}
	ml_release(env, s->z);
	ml_release(env, s->column);
	g->fold = g->folds > 0 ? s->part : NULL;
	return ML_OK;
}

MlStatus
ml_gram_scan(MlEnv *env, MlGram *gram)
{
	Scan		s = {.gram = gram, .dense = env->dense};

	gram->q = (size_t) gram->scale->n + (gram->data->y != NULL ? 2 : 1);
	if (gram->folds > ML_GRAM_MAX_FOLDS)
		return ml_fail(env, ML_BAD_PARAM, "at most %d folds are possible, not %d", ML_GRAM_MAX_FOLDS, gram->folds);
	ML_TRY(allocate(env, gram, &s));
	for (s.first = 0; s.first < gram->data->n_train; s.first += s.block)
	{
		MlProgress	progress = {.phase = "fit", .share = (double) s.first / gram->data->n_train, .train_loss = NAN, .validation_loss = NAN};

		if (ml_canceled(env))
			return ml_fail(env, ML_CANCELED, "canceled");
		ml_progress(env, &progress);
		ML_TRY(add_block(env, &s));
	}
	return finish(env, gram, &s);
}

/* Subtracts the fold: what is left are the rows that train. */
static void
without_fold(const MlGram *gram, int fold)
{
	for (size_t i = 0; i < gram->q * gram->q; i++)
		gram->fold[fold][i] = gram->total[i] - gram->fold[fold][i];
}

MlStatus
ml_gram_normal(MlEnv *env, MlGram *gram, int fold, bool intercept, MlNormal *n)
{
	size_t		q = gram->q;
	size_t		p = q - 2;
	double	   *m = fold < 0 ? gram->total : gram->fold[fold];
	double	   *sum = ml_alloc0(env, q, sizeof(double));

	n->p = p;
	n->ld = q;
	n->mean = ml_alloc0(env, p, sizeof(double));
	n->deviation = ml_alloc0(env, p, sizeof(double));
	if (sum == NULL || n->mean == NULL || n->deviation == NULL)
		return env->error.status;
	if (fold >= 0)
		without_fold(gram, fold);
	n->weight = m[0];
	n->y_mean = 0;
	n->gram = m + q + 1;
	n->target = m + (q - 1) * q + 1;
	memcpy(sum, m, q * sizeof(double));
	for (size_t j = 0; j < p; j++)
	{
		double		square = n->weight > 0 ? m[(j + 1) * q + j + 1] / n->weight : 0;
		double		mean = n->weight > 0 ? sum[j + 1] / n->weight : 0;
		double		variance = square - mean * mean;

		/* What rounding leaves of a column that is constant in these rows. */
		n->deviation[j] = variance > 1e-14 * square ? sqrt(variance) : 0;
	}
	if (intercept && n->weight > 0)
	{
		for (size_t j = 1; j < q; j++)
			for (size_t i = 1; i < q; i++)
				m[j * q + i] -= sum[i] * (sum[j] / n->weight);
		for (size_t j = 0; j < p; j++)
			n->mean[j] = sum[j + 1] / n->weight;
		n->y_mean = sum[q - 1] / n->weight;
	}
	n->yy = m[q * q - 1] > 0 ? m[q * q - 1] : 0;
	return ML_OK;
}

double
ml_normal_rss(const MlNormal *n, const double *b)
{
	double		rss = n->yy;

	for (size_t j = 0; j < n->p; j++)
	{
		const double *column = n->gram + j * n->ld;
		double		dot = 0;

		if (b[j] == 0)
			continue;
		for (size_t i = 0; i < n->p; i++)
			dot += column[i] * b[i];
		rss += b[j] * (dot - 2 * n->target[j]);
	}
	return rss > 0 ? rss : 0;
}
