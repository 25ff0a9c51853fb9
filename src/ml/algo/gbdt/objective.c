/*-------------------------------------------------------------------------
 * objective.c
 *	  Losses: where scores start, gradients, and what is reported.
 *
 * squared   g = w (s - y)        h = w           leaf: Newton step
 * absolute  g = w sign(s - y)    h = w           leaf: weighted median of y - s
 * logistic  g = w (p - y)        h = w p (1-p)   leaf: Newton step
 * softmax   g = w (p_k - [y=k])  h = K/(K-1) w p_k (1-p_k), one tree per class
 *
 * The others are in losses.c.
 *
 * Sums run over blocks of ML_GBDT_BLOCK rows and are joined in block order, so
 * they have the same bits for any number of threads.
 *-------------------------------------------------------------------------
 */
#include <math.h>

#include "ml/algo/gbdt/gbdt_internal.h"
#include "ml/base/elementary.h"
#include "ml/base/pool.h"
#include "ml/base/rng.h"

/* Probabilities in a logarithm are not taken below this. */
#define TINY 1e-15

typedef struct LossJob
{
	MlGbdtLoss *loss;
	size_t		begin;			/* rows of the part that is looked at */
	size_t		end;
	bool		gradients;
} LossJob;

/*
 * Adds up -w log(p).  Without weights, sixteen factors of at least 1e-15 are
 * multiplied before one logarithm is taken: that is most of its cost saved.
 */
typedef struct LogSum
{
	double		sum;
	double		product;
	int			factors;
} LogSum;

static inline void
log_sum_add(LogSum *s, double p, const double *weight, size_t i)
{
	if (p < TINY)
		p = TINY;
	if (weight != NULL)
	{
		s->sum -= weight[i] * ml_log(p);
		return;
	}
	s->product *= p;
	if (++s->factors == 16)
	{
		s->sum -= ml_log(s->product);
		s->product = 1;
		s->factors = 0;
	}
}

static double
log_sum_end(const LogSum *s)
{
	return s->factors > 0 ? s->sum - ml_log(s->product) : s->sum;
}

static void
absolute_rows(const MlGbdtLoss *loss, size_t begin, size_t end, bool gradients, double *sums)
{
	for (size_t i = begin; i < end; i++)
	{
		double		w = ml_gbdt_weight(loss, i);
		double		r = loss->score[i] - loss->y[i];

		sums[ML_GBDT_BLOCK_LOSS] += w * (r < 0 ? -r : r);
		if (gradients)
			loss->g[i] = r > 0 ? w : (r < 0 ? -w : 0);
	}
}

static void
softmax_rows(const MlGbdtLoss *loss, size_t begin, size_t end, bool gradients, double *sums)
{
	LogSum		logs = {0, 1, 0};
	size_t		all = loss->n + loss->n_valid;
	size_t		k_end = (size_t) loss->n_outputs;

	for (size_t i = begin; i < end; i++)
	{
		size_t		own = (size_t) loss->y[i];
		double		w = ml_gbdt_weight(loss, i);
		double		top = loss->score[i];
		double		sum = 0;
		double		p_own = 0;

		for (size_t k = 1; k < k_end; k++)
			if (loss->score[k * all + i] > top)
				top = loss->score[k * all + i];
		for (size_t k = 0; k < k_end; k++)
		{
			double		e = ml_exp(loss->score[k * all + i] - top);

			sum += e;
			if (k == own)
				p_own = e;
			if (gradients)
				loss->g[k * loss->n + i] = e;
		}
		log_sum_add(&logs, p_own / sum, loss->weight, i);
		if (!gradients)
			continue;
		for (size_t k = 0; k < k_end; k++)
		{
			double	   *g = &loss->g[k * loss->n + i];
			double		p = *g / sum;

			*g = w * (k == own ? p - 1 : p);
		}
	}
	sums[ML_GBDT_BLOCK_LOSS] = log_sum_end(&logs);
}

/* What is to come of these rows stays in the cache for what follows. */
static void
update_scores(const MlGbdtLoss *loss, size_t begin, size_t end)
{
	for (size_t i = begin; i < end; i++)
		loss->score[i] += loss->leaf_value[loss->leaf_of[i]];
}

/*
 * One block's gradients to integers, by the scale of the tree before.  Where they are too large for it, the next tree will have
 * another scale.
 */
static void
round_block(const MlGbdtLoss *loss, size_t task, size_t begin, size_t end, const double *sums)
{
	const MlGbdtScale *scale = loss->rounding;
	MlGbdtSum	sum = {0, 0};

	if (sums[ML_GBDT_BLOCK_MAX] * scale->to_g > 0x1p30 || sums[ML_GBDT_BLOCK_H_MAX] * scale->to_h > 0x1p31)
		return;
	ml_gbdt_quantise_rows(loss, scale, loss->g, begin, end, &loss->rounded, &sum);
	loss->rounded_sum[task] = sum;
}

static void
loss_block(void *arg, size_t task, int thread)
{
	const LossJob *job = arg;
	const MlGbdtLoss *loss = job->loss;
	size_t		begin = job->begin + task * ML_GBDT_BLOCK;
	size_t		end = begin + ML_GBDT_BLOCK < job->end ? begin + ML_GBDT_BLOCK : job->end;
	double		sums[ML_GBDT_BLOCK_SUMS] = {0};

	if (loss->leaf_of != NULL && begin < loss->n)
		update_scores(loss, begin, end);
	switch (loss->objective)
	{
		case ML_GBDT_SQUARED:
			ml_gbdt_squared_rows(loss->score + begin, loss->y + begin, loss->weight == NULL ? NULL : loss->weight + begin,
								 end - begin, job->gradients ? loss->g + begin : NULL, sums);
			break;
		case ML_GBDT_ABSOLUTE:
			absolute_rows(loss, begin, end, job->gradients, sums);
			break;
		case ML_GBDT_LOGISTIC:
			ml_gbdt_logistic_rows(loss->score + begin, loss->y + begin, loss->weight == NULL ? NULL : loss->weight + begin,
								  end - begin, job->gradients ? loss->g + begin : NULL, &sums[ML_GBDT_BLOCK_LOSS], &sums[ML_GBDT_BLOCK_SUM]);
			break;
		case ML_GBDT_SOFTMAX:
			softmax_rows(loss, begin, end, job->gradients, sums);
			break;
		default:
			ml_gbdt_general_rows(loss, begin, end, job->gradients, sums);
	}
	if (job->gradients && loss->rounding != NULL)
		round_block(loss, task, begin, end, sums);
	for (int s = 0; s < ML_GBDT_BLOCK_SUMS; s++)
		loss->block[task * ML_GBDT_BLOCK_SUMS + (size_t) s] = sums[s];
}

static MlStatus
run_blocks(MlEnv *env, LossJob *job, double *sums)
{
	size_t		blocks = (job->end - job->begin + ML_GBDT_BLOCK - 1) / ML_GBDT_BLOCK;

	ML_TRY(ml_pool_run(env, blocks, loss_block, job));
	for (int s = 0; s < ML_GBDT_BLOCK_SUMS; s++)
		sums[s] = 0;
	for (size_t b = 0; b < blocks; b++)
	{
		const double *block = job->loss->block + b * ML_GBDT_BLOCK_SUMS;

		sums[ML_GBDT_BLOCK_LOSS] += block[ML_GBDT_BLOCK_LOSS];
		sums[ML_GBDT_BLOCK_SUM] += block[ML_GBDT_BLOCK_SUM];
		sums[ML_GBDT_BLOCK_H_SUM] += block[ML_GBDT_BLOCK_H_SUM];
		if (block[ML_GBDT_BLOCK_MAX] > sums[ML_GBDT_BLOCK_MAX])
			sums[ML_GBDT_BLOCK_MAX] = block[ML_GBDT_BLOCK_MAX];
		if (block[ML_GBDT_BLOCK_H_MAX] > sums[ML_GBDT_BLOCK_H_MAX])
			sums[ML_GBDT_BLOCK_H_MAX] = block[ML_GBDT_BLOCK_H_MAX];
	}
	return ML_OK;
}

static double
mean_loss(const MlGbdtLoss *loss, double sum, double weight)
{
	double		mean = sum / weight;

	return loss->objective == ML_GBDT_SQUARED ? sqrt(mean) : mean;
}

MlStatus
ml_gbdt_loss_gradients(MlEnv *env, MlGbdtLoss *loss, double *train_loss)
{
	LossJob		job = {loss, 0, loss->n, true};
	double		sums[ML_GBDT_BLOCK_SUMS];

	ML_TRY(run_blocks(env, &job, sums));
	loss->leaf_of = NULL;
	if (loss->objective == ML_GBDT_SQUARED || loss->objective >= ML_GBDT_HUBER)
	{
		loss->g_max = sums[ML_GBDT_BLOCK_MAX];
		loss->g_sum = sums[ML_GBDT_BLOCK_SUM];
	}
	else
	{
		loss->g_max = loss->weight_max;
		loss->g_sum = loss->weight_sum;
	}
	if (loss->h != NULL)
	{
		loss->h_max = sums[ML_GBDT_BLOCK_H_MAX];
		loss->h_sum = sums[ML_GBDT_BLOCK_H_SUM];
	}
	else
	{
		bool		newton = loss->objective == ML_GBDT_LOGISTIC || loss->objective == ML_GBDT_SOFTMAX;

		loss->h_max = loss->weight_max * (newton ? loss->hessian_factor / 4 : 1);
		loss->h_sum = loss->weight_sum * (newton ? loss->hessian_factor / 4 : 1);
	}
	/* The absolute loss has gradients of one size; for softmax every output would have its own mean. */
	loss->g_mean = loss->objective == ML_GBDT_SOFTMAX ? 0 :
		loss->objective == ML_GBDT_ABSOLUTE ? loss->weight_sum / (double) loss->n : sums[ML_GBDT_BLOCK_SUM] / (double) loss->n;
	*train_loss = mean_loss(loss, sums[ML_GBDT_BLOCK_LOSS], loss->weight_sum);
	return ML_OK;
}

MlStatus
ml_gbdt_loss_validation(MlEnv *env, MlGbdtLoss *loss, double *validation_loss)
{
	LossJob		job = {loss, loss->n, loss->n + loss->n_valid, false};
	double		sums[ML_GBDT_BLOCK_SUMS];
	double		weight = 0;

	ML_TRY(run_blocks(env, &job, sums));
	for (size_t i = job.begin; i < job.end; i++)
		weight += ml_gbdt_weight(loss, i);
	*validation_loss = mean_loss(loss, sums[ML_GBDT_BLOCK_LOSS], weight);
	return ML_OK;
}

const char *
ml_gbdt_loss_name(MlGbdtObjective objective)
{
	switch (objective)
	{
		case ML_GBDT_SQUARED:
			return "rmse";
		case ML_GBDT_ABSOLUTE:
			return "mae";
		case ML_GBDT_HUBER:
			return "huber";
		case ML_GBDT_QUANTILE:
			return "pinball";
		case ML_GBDT_POISSON:
		case ML_GBDT_GAMMA:
		case ML_GBDT_TWEEDIE:
			return "deviance";
		default:
			return "logloss";
	}
}

/*
 * The smallest value v with weight(values <= v) >= target ("at least") or >
 * target.  Quickselect with three parts; the pivot is chosen by a hash, so no
 * order of the values is a bad one, and the same values give the same result.
 */
static double
select_weighted(double *value, double *weight, size_t n, double target, bool at_least)
{
	size_t		begin = 0;
	size_t		end = n;
	double		before = 0;

	for (;;)
	{
		double		pivot = value[begin + ml_mix64(end - begin) % (end - begin)];
		double		below = 0;
		double		equal = 0;
		size_t		a = begin;
		size_t		b = begin;
		size_t		c = end;

		/* [begin,a) below, [a,b) equal, [c,end) above the pivot */
		while (b < c)
		{
			double		v = value[b];
			double		w = weight[b];

			if (v < pivot)
			{
				value[b] = value[a];
				weight[b] = weight[a];
				value[a] = v;
				weight[a++] = w;
				b++;
				below += w;
			}
			else if (v > pivot)
			{
				c--;
				value[b] = value[c];
				weight[b] = weight[c];
				value[c] = v;
				weight[c] = w;
			}
			else
			{
				b++;
				equal += w;
			}
		}
		if (a > begin && (at_least ? before + below >= target : before + below > target))
			end = a;
		else if (b == end || (at_least ? before + below + equal >= target : before + below + equal > target))
			return pivot;
		else
		{
			before += below + equal;
			begin = b;
		}
	}
}

double
ml_gbdt_quantile(double *value, double *weight, size_t n, double share)
{
	double		sum = 0;
	size_t		kept = 0;
	double		low;
	double		high;

	for (size_t i = 0; i < n; i++)
	{
		if (weight[i] > 0)
		{
			value[kept] = value[i];
			weight[kept++] = weight[i];
			sum += weight[i];
		}
	}
	if (kept == 0)
		return 0;
	low = select_weighted(value, weight, kept, sum * share, true);
	high = select_weighted(value, weight, kept, sum * share, false);
	return low + (high - low) / 2;
}

static double
class_share(const MlGbdtLoss *loss, int32_t k)
{
	double		sum = 0;

	for (size_t i = 0; i < loss->n; i++)
		if ((int32_t) loss->y[i] == k)
			sum += ml_gbdt_weight(loss, i);
	sum /= loss->weight_sum;
	return sum < TINY ? TINY : (sum > 1 - TINY ? 1 - TINY : sum);
}

void
ml_gbdt_loss_base(MlGbdtLoss *loss, bool from_average, double *base)
{
	double		sum = 0;

	for (int32_t k = 0; k < loss->n_outputs; k++)
		base[k] = 0;
	if (!from_average)
		return;
	switch (loss->objective)
	{
		case ML_GBDT_SQUARED:
			for (size_t i = 0; i < loss->n; i++)
				sum += ml_gbdt_weight(loss, i) * loss->y[i];
			base[0] = sum / loss->weight_sum;
			break;
		case ML_GBDT_ABSOLUTE:
			for (size_t i = 0; i < loss->n; i++)
			{
				loss->g[i] = loss->y[i];
				loss->score[i] = ml_gbdt_weight(loss, i);
			}
			base[0] = ml_gbdt_quantile(loss->g, loss->score, loss->n, 0.5);
			break;
		case ML_GBDT_LOGISTIC:
			sum = class_share(loss, 1);
			base[0] = ml_log(sum / (1 - sum));
			break;
		case ML_GBDT_SOFTMAX:
			for (int32_t k = 0; k < loss->n_outputs; k++)
				base[k] = ml_log(class_share(loss, k));
			break;
		default:
			base[0] = ml_gbdt_general_base(loss);
	}
}
