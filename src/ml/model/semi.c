/*-------------------------------------------------------------------------
 * semi.c
 *	  Semi-supervised learning: rows whose class is not known help to train, whatever the method is.
 *
 * Self-training as scikit-learn's SelfTrainingClassifier: a class once given stays, and a probability has to be above the threshold.
 * Each fit sees a copy of the rows that have a class by then, and nothing of the others, in an arena
 * that ends with it.  Who is asked about the others is the model read back from its image, the code that
 * serves.  What the fits before the last one say (history, warnings) is forgotten with them.
 */
#include "ml/model/semi.h"

#include <math.h>
#include <string.h>

#include "ml/algo/cluster/space.h"
#include "ml/base/arena.h"
#include "ml/base/sort.h"
#include "ml/data/subset.h"
#include "ml/model/judge.h"
#include "ml/model/weights.h"

/* Doubles of the answers of a block of unlabelled rows. */
#define ANSWERS ((size_t) 1 << 20)

typedef struct Labels
{
	size_t		n;				/* unlabelled rows */
	int32_t    *label;			/* n: -1 while there is none */
	int32_t    *round;			/* n: when it was given */
	size_t		given;			/* those that have one */
} Labels;

/* A fit in an environment of its own, which passes on what it is asked. */
typedef struct Round
{
	MlEnv		env;
	MlEnv	   *outer;
	int			number;			/* from 0 */
	int			rounds;			/* that there may be */
	MlHistory  *history;
	size_t		n_history;
	size_t		max_history;
	uint8_t    *image;
	size_t		image_length;
} Round;

/* ------------------------------------------------------------------------
 * The environment of a round
 * ------------------------------------------------------------------------
 */

static bool
round_canceled(void *state)
{
	return ml_canceled(((Round *) state)->outer);
}

static void
round_progress(void *state, const MlProgress *said)
{
	const Round *round = state;
	MlProgress	progress = *said;

	/* Nobody outside knows rounds: all of it is the fit, of which asking the model is the end. */
	progress.phase = "fit";
	progress.share = strcmp(said->phase, "fit") != 0 ? 1 : isfinite(said->share) ? said->share : 0;
	progress.share = (progress.share + round->number) / round->rounds;
	ml_progress(round->outer, &progress);
}

/* Lost where there is no memory for it, which the fit itself will notice. */
static void
round_history(void *state, const MlHistory *entry)
{
	Round	   *round = state;

	if (round->n_history == round->max_history)
	{
		size_t		max = round->max_history > 0 ? round->max_history * 2 : 64;
		MlHistory  *grown = ml_alloc(&round->env, max, sizeof(MlHistory));

		if (grown == NULL)
			return;
		if (round->n_history > 0)
			memcpy(grown, round->history, round->n_history * sizeof(MlHistory));
		ml_release(&round->env, round->history);
		round->history = grown;
		round->max_history = max;
	}
	round->history[round->n_history++] = *entry;
}

static MlStatus
begin_round(MlEnv *env, Round *round, int number, int rounds)
{
	size_t		limit = ml_arena_limit(env->arena);
	size_t		used = ml_arena_used(env->arena);

	memset(round, 0, sizeof(*round));
	round->outer = env;
	round->number = number;
	round->rounds = rounds;
	round->env = *env;
	round->env.arena = ml_arena_create(limit == 0 ? 0 : used < limit ? limit - used : 1);
	round->env.canceled = round_canceled;
	round->env.progress = round_progress;
	round->env.history = env->history != NULL ? round_history : NULL;
	round->env.state = round;
	round->env.warnings = NULL;
	round->env.n_warnings = 0;
	if (round->env.arena == NULL)
		return ml_fail(env, ML_NO_MEMORY, "out of memory");
	return ML_OK;
}

/* What has been said in it is said aloud. */
static void
speak(const Round *round)
{
	for (const MlWarning *warning = round->env.warnings; warning != NULL; warning = warning->next)
		ml_warn(round->outer, "%s", warning->text);
	for (size_t i = 0; i < round->n_history; i++)
		ml_history(round->outer, round->history[i].iteration, round->history[i].split, round->history[i].metric, round->history[i].value);
}

static MlStatus
end_round(Round *round)
{
	MlEnv	   *env = round->outer;

	if (env->error.status == ML_OK)
		env->error = round->env.error;
	ml_arena_witness(env->arena, ml_arena_peak(round->env.arena));
	ml_arena_free(round->env.arena);
	return env->error.status;
}

/* ------------------------------------------------------------------------
 * One fit
 * ------------------------------------------------------------------------
 */

/* Those that train and have a class, then the validation part. */
static MlStatus
take_rows(MlEnv *env, const MlSemiRun *run, const Labels *labels, MlDataset *data)
{
	const MlDataset *seen = run->seen;
	size_t		known = seen->n_train - labels->n;
	size_t		n_train = known + labels->given;
	size_t		n = n_train + seen->n_valid;
	size_t	   *row = ml_alloc(env, n, sizeof(size_t));
	double	   *y = ml_alloc(env, n, sizeof(double));
	double	   *weight = run->weight != NULL ? ml_alloc(env, n, sizeof(double)) : NULL;
	size_t		at = 0;

	if (row == NULL || y == NULL || (run->weight != NULL && weight == NULL))
		return env->error.status;
	for (size_t i = 0; i < seen->n_train + seen->n_valid; i++)
	{
		bool		unlabelled = i >= known && i < seen->n_train;

		if (unlabelled && labels->label[i - known] < 0)
			continue;
		row[at] = i;
		y[at] = unlabelled ? labels->label[i - known] : seen->y[i];
		if (weight != NULL)
			weight[at] = run->weight[i];
		at++;
	}
	ML_TRY(ml_dataset_subset(env, seen, row, n_train, seen->n_valid, data));
	if (run->balanced)
		ML_TRY(ml_weights_balance(env, run->schema->n_classes, n_train, n, y, weight, &weight));
	data->y = y;
	data->weight = weight;
	data->initial = seen->initial;
	ml_release(env, row);
	return ML_OK;
}

static MlStatus
fit(Round *round, const MlSemiRun *run, const Labels *labels)
{
	MlEnv	   *env = &round->env;
	MlDataset	data;
	MlModel    *model;
	void	   *fitted = NULL;

	ML_TRY(take_rows(env, run, labels, &data));
	ML_TRY(run->method->fit(env, &data, run->params, &fitted));
	ML_TRY(ml_model_make_encoded(env, run->method, run->schema, run->prep, fitted, &model));
	return ml_model_save(env, model, &round->image, &round->image_length);
}

/* ------------------------------------------------------------------------
 * Self-training
 * ------------------------------------------------------------------------
 */

/* What the model says of a row without a class. */
typedef struct Guess
{
	size_t		row;			/* among the unlabelled ones */
	double		probability;
	int32_t		class_number;
} Guess;

static MlStatus
guess_block(MlEnv *env, const MlModel *model, const MlJudgeColumn *columns, const MlSemiRun *run, Guess *guesses, size_t n)
{
	size_t		known = run->raw->n_train - run->raw->n_unlabelled;
	size_t	   *row = ml_alloc(env, n, sizeof(size_t));
	MlJudgeRows rows = {.columns = columns, .row = row, .n = n};
	double	   *out;

	if (row == NULL)
		return env->error.status;
	for (size_t i = 0; i < n; i++)
		row[i] = known + guesses[i].row;
	out = ml_judge_predict(env, model, &rows);
	if (out == NULL)
		return env->error.status;
	for (size_t i = 0; i < n; i++)
	{
		const double *answer = out + i * (size_t) model->n_out;

		guesses[i].class_number = ml_model_winner(model, answer);
		guesses[i].probability = answer[guesses[i].class_number];
	}
	ml_release(env, out);
	ml_release(env, row);
	return ML_OK;
}

/* guesses (allocated): one for each row that has no class yet. */
static MlStatus
guess(Round *round, const MlSemiRun *run, const Labels *labels, Guess **guesses, size_t *n)
{
	MlEnv	   *env = &round->env;
	Guess	   *all = ml_alloc(env, labels->n - labels->given, sizeof(Guess));
	MlJudgeColumn *columns;
	MlModel    *model;
	size_t		block;

	if (all == NULL)
		return env->error.status;
	*n = 0;
	for (size_t i = 0; i < labels->n; i++)
	{
		if (labels->label[i] < 0)
			all[(*n)++].row = i;
	}
	ML_TRY(ml_model_read_back(env, round->image, round->image_length, &model));
	ML_TRY(ml_judge_columns(env, run->raw, &columns));
	block = ANSWERS / (size_t) model->n_out;
	for (size_t first = 0; first < *n; first += block)
		ML_TRY(guess_block(env, model, columns, run, all + first, *n - first < block ? *n - first : block));
	*guesses = all;
	return ML_OK;
}

/* Puts the k surest first, of equally sure ones those that come first. */
static MlStatus
put_surest_first(MlEnv *env, Guess *guesses, size_t n, size_t k)
{
	MlKeyed    *items = ml_alloc(env, n, sizeof(MlKeyed));
	Guess	   *best = ml_alloc(env, k, sizeof(Guess));

	if (items == NULL || best == NULL)
		return env->error.status;
	for (size_t i = 0; i < n; i++)
		items[i] = (MlKeyed) {~ml_sort_key_double(guesses[i].probability), i};
	ML_TRY(ml_sort_keyed(env, items, n));
	for (size_t i = 0; i < k; i++)
		best[i] = guesses[items[i].row];
	memcpy(guesses, best, k * sizeof(Guess));
	return ML_OK;
}

/* Takes the model at its word where it is sure.  given (out): rows that have a class now and had none. */
static MlStatus
label_surest(Round *round, const MlSemiRun *run, Labels *labels, size_t *given)
{
	const MlSemi *semi = run->semi;
	Guess	   *guesses = NULL;
	size_t		n = 0;

	ML_TRY(guess(round, run, labels, &guesses, &n));
	if (semi->by_k_best && semi->k_best < n)
	{
		ML_TRY(put_surest_first(&round->env, guesses, n, semi->k_best));
		n = semi->k_best;
	}
	*given = 0;
	for (size_t i = 0; i < n; i++)
	{
		if (!semi->by_k_best && !(guesses[i].probability > semi->threshold))
			continue;
		labels->label[guesses[i].row] = guesses[i].class_number;
		labels->round[guesses[i].row] = round->number + 1;
		(*given)++;
	}
	labels->given += *given;
	return ML_OK;
}

/* ------------------------------------------------------------------------
 * Label spreading
 * ------------------------------------------------------------------------
 */

/* The rows that train as points: value n_train x p. */
static MlStatus
make_points(MlEnv *env, const MlSemiRun *run, double **value, int32_t *p)
{
	MlDataset	data = *run->seen;
	MlSpace    *space;
	MlPoints   *points;

	data.weight = NULL;			/* a row is where it is, whatever it counts */
	ML_TRY(ml_space_fit(env, &data, ML_DESIGN_MAX_CATEGORIES, ML_SPACE_SCALE_NUMBERS, &space));
	ML_TRY(ml_points_read(env, space, &data, &points));
	*p = space->p;
	*value = ml_alloc(env, data.n_train, (size_t) space->p * sizeof(double) + 1);
	if (*value == NULL)
		return env->error.status;
	for (size_t i = 0; i < data.n_train; i++)
	{
		if (i % 65536 == 0 && ml_canceled(env))
			return ml_fail(env, ML_CANCELED, "canceled");
		ml_points_get(points, i, *value + i * (size_t) space->p);
	}
	ml_release(env, points->value);
	ml_release(env, points->weight);
	return ML_OK;
}

/* The class of the largest share; -1 where nothing has come. */
static int32_t
largest(const double *share, int32_t classes)
{
	int32_t		best = 0;

	for (int32_t c = 1; c < classes; c++)
		best = share[c] > share[best] ? c : best;
	return share[best] > 0 ? best : -1;
}

static MlStatus
spread_in(MlEnv *env, const MlSemiRun *run, Labels *labels, int *iterations)
{
	size_t		n = run->seen->n_train;
	size_t		known = n - labels->n;
	int32_t		classes = run->schema->n_classes;
	int32_t    *label = ml_alloc(env, n, sizeof(int32_t));
	MlSpread	spread;
	double	   *value = NULL;
	int32_t		p = 0;

	if (label == NULL)
		return env->error.status;
	ML_TRY(make_points(env, run, &value, &p));
	for (size_t i = 0; i < n; i++)
		label[i] = i < known ? (int32_t) run->seen->y[i] : -1;
	ML_TRY(ml_spread_labels(env, &run->semi->spreading, value, n, p, label, classes, &spread));
	for (size_t i = 0; i < labels->n; i++)
	{
		labels->label[i] = largest(spread.share + (known + i) * (size_t) classes, classes);
		labels->given += labels->label[i] >= 0;
	}
	*iterations = spread.iterations;
	if (!spread.converged)
		ml_warn(env, "label spreading has not converged after %d steps", spread.iterations);
	return ML_OK;
}

static MlStatus
spread_labels(MlEnv *env, const MlSemiRun *run, Labels *labels, int *iterations)
{
	Round		round;

	ML_TRY(begin_round(env, &round, 0, 2));
	if (spread_in(&round.env, run, labels, iterations) == ML_OK)
		speak(&round);
	return end_round(&round);
}

/* ------------------------------------------------------------------------
 * All of it
 * ------------------------------------------------------------------------
 */

static MlStatus
keep_image(const Round *round, MlSemiResult *result)
{
	result->image = ml_alloc(round->outer, round->image_length, 1);
	if (result->image == NULL)
		return round->outer->error.status;
	memcpy(result->image, round->image, round->image_length);
	result->image_length = round->image_length;
	speak(round);
	return ML_OK;
}

/* Fits, and labels unless it is the last time.  done (out): the model is the one that stays. */
static MlStatus
run_round(Round *round, const MlSemiRun *run, Labels *labels, bool last, MlSemiResult *result, bool *done)
{
	size_t		given = 0;

	ML_TRY(fit(round, run, labels));
	if (!last)
	{
		ML_TRY(label_surest(round, run, labels, &given));
		result->iterations = round->number + 1;
		ml_history(round->outer, result->iterations, "train", "pseudo_labelled_rows", (double) labels->given);
	}
	*done = given == 0;
	return *done ? keep_image(round, result) : ML_OK;
}

MlStatus
ml_semi_fit(MlEnv *env, const MlSemiRun *run, MlSemiResult *result)
{
	bool		spreading = run->semi->kind == ML_SEMI_LABEL_SPREADING;
	int			rounds = spreading ? 0 : run->semi->max_iter;
	Labels		labels = {.n = run->seen->n_unlabelled};
	bool		done = false;

	memset(result, 0, sizeof(*result));
	labels.label = ml_alloc(env, labels.n, sizeof(int32_t));
	labels.round = ml_alloc0(env, labels.n, sizeof(int32_t));
	if (labels.label == NULL || labels.round == NULL)
		return env->error.status;
	for (size_t i = 0; i < labels.n; i++)
		labels.label[i] = -1;
	if (spreading)
		ML_TRY(spread_labels(env, run, &labels, &result->iterations));
	for (int r = 0; !done; r++)
	{
		Round		round;

		ML_TRY(begin_round(env, &round, spreading ? 1 : r, spreading ? 2 : rounds + 1));
		(void) run_round(&round, run, &labels, r == rounds || labels.given == labels.n, result, &done);
		ML_TRY(end_round(&round));
	}
	result->labelled = labels.given;
	result->label = labels.label;
	result->round = labels.round;
	return ML_OK;
}

/* Of a row, beside its columns: place, class, weights; what is said of it. */
#define ROW_BYTES (sizeof(size_t) + 3 * sizeof(double) + sizeof(Guess) + sizeof(MlKeyed) + sizeof(Guess) + 2 * sizeof(int32_t))

size_t
ml_semi_memory(const MlSemi *semi, const MlSchema *schema, size_t n, size_t copy, int threads)
{
	size_t		p = ml_space_bound(schema, ML_DESIGN_MAX_CATEGORIES);
	size_t		total;
	size_t		rows;
	size_t		spread;

	if (!ml_mul_size(n, ROW_BYTES, &rows) || !ml_add_size(rows, copy, &total) || !ml_add_size(total, ANSWERS * sizeof(double) * 2, &total))
		return SIZE_MAX;
	if (semi->kind != ML_SEMI_LABEL_SPREADING)
		return total;
	/* Points twice for a moment; the copy comes after all that. */
	if (!ml_mul_size(n, p * sizeof(double) + sizeof(int32_t) + 1, &rows) ||
		!ml_add_size(rows, ml_points_memory(n, p, threads), &rows) ||
		!ml_add_size(rows, ml_space_memory(schema, ML_DESIGN_MAX_CATEGORIES), &rows) ||
		!ml_add_size(rows, ml_spread_memory(&semi->spreading, n, p, (size_t) schema->n_classes, threads), &spread))
		return SIZE_MAX;
	return spread > total ? spread : total;
}
