/*-------------------------------------------------------------------------
 * target.c
 *	  Target encoding: a category becomes the mean of the target in it, drawn towards
 *	  the mean of all.
 *
 * Micci-Barreca 2001.  With a number m as smoothing: (sum of the category + m * mean) / (rows + m).  With
 * "auto" the weight of the category is empirical Bayes, as scikit-learn's TargetEncoder has it:
 * V n / (V n + s2), where V is the variance of the target and s2 that within the category.
 *
 * A row that helps to make its own mean tells the method its target.  So each training row
 * gets the encoding that is fitted without its fold; rows that were not trained on, and all that are
 * served, get the one fitted on the whole training part.  So do rows that train without a target (MlDataset.n_unlabelled), which say
 * nothing here.
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "ml/base/arena.h"
#include "ml/base/rng.h"
#include "ml/prep/prep_internal.h"

/* Categories times classes; beyond it memory and time would be out of proportion. */
#define MAX_CELLS 20000000

/* Random numbers of the folds are those of nothing else. */
#define FOLD_STREAM UINT64_C(0x7461726765740000)

typedef struct Tally
{
	const MlPrepFit *fit;
	const MlStep *step;
	const int32_t *code;
	int32_t		places;			/* codes, other, missing */
	int32_t		k;				/* numbers a place gets: 1, or the classes where they are more than two */
	bool		classes;
	double		total;			/* weight of the rows */
	double	   *weight;			/* by place */
	double	   *sum;			/* by place and number: of the target less its center, or of the class */
	double	   *square;			/* by place, for a regression: of the squared difference */
	double		center;			/* mean of the target of all training rows, so that squares do not cancel */
} Tally;

static inline int32_t
place_of(const Tally *t, size_t i)
{
	return t->code[i] < 0 ? t->places - 1 : t->code[i];
}

static inline int
fold_of(const Tally *t, size_t i)
{
	return (int) (ml_rng_u64(t->fit->env->seed, FOLD_STREAM, i) % (uint64_t) t->step->n);
}

static inline double
weight_of(const Tally *t, size_t i)
{
	return t->fit->in->weight != NULL ? t->fit->in->weight[i] : 1;
}

/* The rows whose target is known are the first ones that train. */
static inline size_t
labelled(const MlDataset *in)
{
	return in->n_train - in->n_unlabelled;
}

/* Rows of the training part that are not in this fold; -1: all. */
static void
tally(Tally *t, int without)
{
	const MlDataset *in = t->fit->in;

	t->total = 0;
	memset(t->weight, 0, (size_t) t->places * sizeof(double));
	memset(t->sum, 0, (size_t) t->places * (size_t) t->k * sizeof(double));
	memset(t->square, 0, (size_t) t->places * sizeof(double));
	for (size_t i = 0; i < labelled(in); i++)
	{
		int32_t		p = place_of(t, i);
		double		w = weight_of(t, i);
		double		y = in->y[i];

		if (fold_of(t, i) == without)
			continue;
		t->total += w;
		t->weight[p] += w;
		if (!t->classes)
		{
			t->sum[p] += w * (y - t->center);
			t->square[p] += w * (y - t->center) * (y - t->center);
		}
		else if (t->k == 1)
			t->sum[p] += y == 1 ? w : 0;
		else
			t->sum[(size_t) p * (size_t) t->k + (size_t) y] += w;
	}
}

/* Mean and variance of the target in a place, or of all with places NULL. */
static void
moments(const Tally *t, double weight, double sum, double square, double *mean, double *variance)
{
	*mean = sum / weight;
	*variance = t->classes ? *mean * (1 - *mean) : square / weight - *mean * *mean;
	*variance = *variance > 0 ? *variance : 0;
}

/* The share of a category's own mean in its encoding. */
static double
own_share(const Tally *t, double weight, double within, double variance)
{
	if (!t->step->automatic)
		return weight / (weight + t->step->low);
	if (within == 0 && variance == 0)
		return 0;				/* the target is the same everywhere */
	return variance * weight / (variance * weight + within);
}

/* table (places x k, out). */
static void
encode(const Tally *t, double *table)
{
	for (int32_t c = 0; c < t->k; c++)
	{
		double		sum = 0;
		double		square = 0;
		double		mean;
		double		variance;

		for (int32_t p = 0; p < t->places; p++)
		{
			sum += t->sum[(size_t) p * (size_t) t->k + (size_t) c];
			square += t->square[p];
		}
		/* A fold may hold all the rows there are. */
		moments(t, t->total > 0 ? t->total : 1, sum, square, &mean, &variance);
		for (int32_t p = 0; p < t->places; p++)
		{
			double		own;
			double		within;
			double		share;
			double	   *cell = &table[(size_t) p * (size_t) t->k + (size_t) c];

			*cell = mean;
			if (t->weight[p] > 0)
			{
				moments(t, t->weight[p], t->sum[(size_t) p * (size_t) t->k + (size_t) c], t->square[p], &own, &within);
				share = own_share(t, t->weight[p], within, variance);
				*cell = share * own + (1 - share) * mean;
			}
			*cell += t->center;
		}
	}
}

static MlStatus
begin(Tally *t)
{
	MlEnv	   *env = t->fit->env;
	const MlDataset *in = t->fit->in;
	size_t		cells = (size_t) t->places * (size_t) t->k;

	if (cells > MAX_CELLS)
	{
		ml_fail(env, ML_TOO_LARGE, "target_encode of %d categories and %d classes is too large", t->places - 2, t->k);
		return ml_hint(env, "Use frequency or hash for this column.");
	}
	t->weight = ml_alloc(env, (size_t) t->places, sizeof(double));
	t->square = ml_alloc(env, (size_t) t->places, sizeof(double));
	t->sum = ml_alloc(env, cells, sizeof(double));
	if (t->weight == NULL || t->square == NULL || t->sum == NULL)
		return env->error.status;
	if (!t->classes)
	{
		double		total = 0;

		/* Divided first: a sum of targets of 1e308 would overflow. */
		for (size_t i = 0; i < labelled(in); i++)
			total += weight_of(t, i);
		for (size_t i = 0; i < labelled(in); i++)
			t->center += in->y[i] * (weight_of(t, i) / total);
	}
	return ML_OK;
}

static MlStatus
check_table(MlEnv *env, const MlPrepPart *part, const double *table, size_t cells)
{
	for (size_t i = 0; i < cells; i++)
	{
		if (!isfinite(table[i]))
			return ml_fail(env, ML_OUT_OF_RANGE, "target_encode of column \"%s\" is out of range", part->feature.name);
	}
	return ML_OK;
}

MlStatus
ml_prep_target(MlPrepFit *fit, const MlStep *step, const MlPrepPart *part, MlPrepOp *op, double ***out_of_fold)
{
	MlEnv	   *env = fit->env;
	const MlDataset *in = fit->in;
	const MlSchema *schema = in->schema;
	Tally		t = {.fit = fit, .step = step, .code = part->data.code, .places = part->feature.levels + 2,
	.classes = schema->n_classes > 0, .k = schema->n_classes > 2 ? schema->n_classes : 1};
	size_t		cells = (size_t) t.places * (size_t) t.k;
	double	   *table;
	double	   *fold_table;
	double	  **columns;

	ML_TRY(begin(&t));
	table = ml_alloc(env, cells, sizeof(double));
	fold_table = ml_alloc(env, cells, sizeof(double));
	columns = ml_alloc(env, (size_t) t.k, sizeof(double *));
	if (table == NULL || fold_table == NULL || columns == NULL)
		return env->error.status;
	tally(&t, -1);
	encode(&t, table);
	ML_TRY(check_table(env, part, table, cells));
	op->kind = ML_OP_TABLE;
	op->levels = part->feature.levels;
	op->n_out = t.k;
	op->n_numbers = (int32_t) cells;
	op->number = table;

	for (int32_t c = 0; c < t.k; c++)
	{
		columns[c] = ml_alloc(env, fit->n, sizeof(double));
		if (columns[c] == NULL)
			return env->error.status;
	}
	for (int fold = 0; fold < step->n; fold++)
	{
		if (ml_canceled(env))
			return ml_fail(env, ML_CANCELED, "canceled");
		tally(&t, fold);
		encode(&t, fold_table);
		ML_TRY(check_table(env, part, fold_table, cells));
		for (size_t i = 0; i < labelled(in); i++)
		{
			if (fold_of(&t, i) != fold)
				continue;
			for (int32_t c = 0; c < t.k; c++)
				columns[c][i] = fold_table[(size_t) place_of(&t, i) * (size_t) t.k + (size_t) c];
		}
	}
	ml_release(env, fold_table);
	ml_release(env, t.sum);
	*out_of_fold = columns;
	return ML_OK;
}
