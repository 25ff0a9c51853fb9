/*-------------------------------------------------------------------------
 * step.c
 *	  What the gradient does to the weights: Adam, AdamW, SGD, and how fast.
 *
 * Every weight is changed by itself, so it does not matter which thread does it.
 *-------------------------------------------------------------------------
 */
#include <math.h>

#include "ml/algo/mlp/mlp_internal.h"
#include "ml/base/arena.h"
#include "ml/base/elementary.h"
#include "ml/base/pool.h"

/* Weights that one task changes; fewer are no work for another thread. */
#define PIECE 16384

/* The adaptive schedule divides the rate by this, and ends below that. */
#define ADAPTIVE_DIVISOR 5
#define ADAPTIVE_END 1e-6

/* One-cycle (Smith & Topin 2018): where it begins and ends, as parts of the highest rate. */
#define ONE_CYCLE_START 0.04
#define ONE_CYCLE_END 4e-6
#define ONE_CYCLE_WARMUP 0.3

typedef struct Piece
{
	size_t		start;
	size_t		length;
	bool		decays;			/* matrices and tables do, shifts and gains do not */
} Piece;

struct MlMlpStepper
{
	MlMlpNet   *net;
	MlMlpOptimiser optimiser;
	MlMlpSchedule schedule;
	double		base_rate;
	double		adapted;		/* what the adaptive schedule multiplies with */
	double		gamma;
	int64_t		gamma_epochs;
	double		warmup;			/* share of all steps */
	double		beta1;
	double		beta2;
	double		power1;			/* beta1 to the number of steps */
	double		power2;
	double		alpha;
	double		weight_decay;
	double		max_norm;
	int64_t		epoch;
	double		steps;
	double		all_steps;
	MlMlpAdam	adam;
	MlMlpSgd	sgd;
	const float *gradient;
	double	   *norms;			/* by piece */
	size_t		n_pieces;
	Piece	   *pieces;
	float	   *first;			/* mean of gradients, or velocity */
	float	   *second;			/* mean of squares; NULL for sgd */
};

static void
add_range(MlMlpStepper *s, size_t start, size_t end, bool decays)
{
	for (; start < end; start += PIECE)
		s->pieces[s->n_pieces++] = (Piece) {start, end - start < PIECE ? end - start : PIECE, decays};
}

static MlStatus
cut_pieces(MlEnv *env, MlMlpStepper *s, int first_trained)
{
	const MlMlpNet *net = s->net;

	s->pieces = ml_alloc0(env, net->n_theta / PIECE + 4 * (size_t) net->n_layers + 4, sizeof(Piece));
	if (s->pieces == NULL)
		return env->error.status;
	for (int l = first_trained; l < net->n_layers; l++)
	{
		add_range(s, net->layers[l].weight, net->layers[l].shift, true);
		add_range(s, net->layers[l].shift, ml_mlp_layer_end(net, l), false);
	}
	if (first_trained == 0)
		add_range(s, net->tables, net->n_theta, true);
	s->norms = ml_alloc0(env, s->n_pieces + 1, sizeof(double));
	s->first = ml_alloc0(env, net->n_theta + ML_MLP_PAD, sizeof(float));
	if (s->optimiser != ML_MLP_SGD)
		s->second = ml_alloc0(env, net->n_theta + ML_MLP_PAD, sizeof(float));
	return env->error.status;
}

MlStatus
ml_mlp_stepper_create(MlEnv *env, MlMlpNet *net, const MlParams *params, int first_trained, size_t steps_per_epoch, MlMlpStepper **result)
{
	MlMlpStepper *s = ml_alloc0(env, 1, sizeof(MlMlpStepper));
	bool		decoupled;

	if (s == NULL)
		return env->error.status;
	s->net = net;
	s->optimiser = (MlMlpOptimiser) ml_param_int(params, ML_MLP_OPTIMISER);
	s->schedule = (MlMlpSchedule) ml_param_int(params, ML_MLP_SCHEDULE);
	s->base_rate = ml_param_double(params, ML_MLP_LEARNING_RATE);
	s->adapted = 1;
	s->gamma = ml_param_double(params, ML_MLP_SCHEDULE_GAMMA);
	s->gamma_epochs = s->schedule == ML_MLP_STEP ? ml_param_int(params, ML_MLP_SCHEDULE_STEP) : 1;
	s->warmup = ml_param_double(params, ML_MLP_WARMUP);
	if (s->schedule == ML_MLP_ONE_CYCLE && !params->given[ML_MLP_WARMUP])
		s->warmup = ONE_CYCLE_WARMUP;
	s->beta1 = ml_param_double(params, ML_MLP_BETA1);
	s->beta2 = ml_param_double(params, ML_MLP_BETA2);
	s->power1 = s->power2 = 1;
	decoupled = s->optimiser == ML_MLP_ADAMW;
	s->alpha = decoupled && !params->given[ML_MLP_ALPHA] ? 0 : ml_param_double(params, ML_MLP_ALPHA);
	s->weight_decay = decoupled && !params->given[ML_MLP_WEIGHT_DECAY] ? 0.01 : ml_param_double(params, ML_MLP_WEIGHT_DECAY);
	s->max_norm = ml_param_double(params, ML_MLP_MAX_GRAD_NORM);
	s->all_steps = (double) steps_per_epoch * ml_param_double(params, ML_MLP_MAX_EPOCHS);
	s->adam.beta1 = (float) s->beta1;
	s->adam.beta2 = (float) s->beta2;
	s->adam.epsilon = (float) ml_param_double(params, ML_MLP_EPSILON);
	s->sgd.momentum = (float) ml_param_double(params, ML_MLP_MOMENTUM);
	s->sgd.nesterov = ml_param_bool(params, ML_MLP_NESTEROV);
	*result = s;
	return cut_pieces(env, s, first_trained);
}

/* (1 + cos(pi x)) / 2 for x from 0 to 1, by the Taylor series of the sine of at most a right angle. */
static double
half_cosine(double x)
{
	double		t = 3.14159265358979323846 * (0.5 - x);
	double		q = t * t;
	double		sine = t * (1 - q / 6 * (1 - q / 20 * (1 - q / 42 * (1 - q / 72 * (1 - q / 110 * (1 - q / 156 * (1 - q / 210)))))));

	return 0.5 + 0.5 * sine;
}

double
ml_mlp_stepper_rate(const MlMlpStepper *s)
{
	double		done = s->steps / s->all_steps;
	double		later = s->warmup < 1 ? (done - s->warmup) / (1 - s->warmup) : 1;
	double		rate = s->base_rate;

	if (done < s->warmup)
	{
		if (s->schedule == ML_MLP_ONE_CYCLE)
			return rate * (1 + (ONE_CYCLE_START - 1) * half_cosine(done / s->warmup));
		return rate * (s->steps + 1) / (s->warmup * s->all_steps + 1);
	}
	switch (s->schedule)
	{
		case ML_MLP_STEP:
		case ML_MLP_EXPONENTIAL:
			return rate * ml_exp((double) (s->epoch / s->gamma_epochs) * ml_log(s->gamma));
		case ML_MLP_COSINE:
			return rate * half_cosine(later);
		case ML_MLP_ONE_CYCLE:
			return rate * (ONE_CYCLE_END + (1 - ONE_CYCLE_END) * half_cosine(later));
		case ML_MLP_CONSTANT:
		case ML_MLP_ADAPTIVE:
			break;
	}
	return rate * s->adapted;
}

static void
norm_task(void *arg, size_t piece, int thread)
{
	MlMlpStepper *s = arg;
	const float *g = s->gradient + s->pieces[piece].start;
	double		sum[8] = {0};

	(void) thread;
	/* Lengths are multiples of eight, or the tables' end, behind which stand zeros. */
	for (size_t i = 0; i < s->pieces[piece].length; i += 8)
		for (int j = 0; j < 8; j++)
			sum[j] += (double) g[i + (size_t) j] * g[i + (size_t) j];
	s->norms[piece] = ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}

/* What the gradient is multiplied with, so that it is not longer than it may be. */
static MlStatus
clip(MlEnv *env, MlMlpStepper *s, float *factor)
{
	double		sum = 0;

	*factor = 1;
	if (!(s->max_norm > 0))
		return ML_OK;
	ML_TRY(ml_pool_run(env, s->n_pieces, norm_task, s));
	for (size_t p = 0; p < s->n_pieces; p++)
		sum += s->norms[p];
	if (sum > s->max_norm * s->max_norm)
		*factor = (float) (s->max_norm / sqrt(sum));
	return ML_OK;
}

static void
step_task(void *arg, size_t piece, int thread)
{
	MlMlpStepper *s = arg;
	const Piece *p = &s->pieces[piece];
	float	   *weight = s->net->theta + p->start;
	const float *gradient = s->gradient + p->start;

	(void) thread;
	if (s->optimiser == ML_MLP_SGD)
	{
		MlMlpSgd	sgd = s->sgd;

		sgd.l2 = p->decays ? sgd.l2 : 0;
		sgd.shrink = p->decays ? sgd.shrink : 1;
		ml_mlp_sgd(&sgd, p->length, gradient, s->first + p->start, weight);
	}
	else
	{
		MlMlpAdam	adam = s->adam;

		adam.l2 = p->decays ? adam.l2 : 0;
		adam.shrink = p->decays ? adam.shrink : 1;
		ml_mlp_adam(&adam, p->length, gradient, s->first + p->start, s->second + p->start, weight);
	}
}

MlStatus
ml_mlp_stepper_step(MlEnv *env, MlMlpStepper *s, const float *gradient, size_t rows)
{
	double		rate = ml_mlp_stepper_rate(s);
	float		scale;

	s->gradient = gradient;
	ML_TRY(clip(env, s, &scale));
	s->power1 *= s->beta1;
	s->power2 *= s->beta2;
	/* The penalty is part of the loss of a mini-batch, divided by its rows: scikit-learn's. */
	s->adam.l2 = s->sgd.l2 = (float) (s->alpha / (double) rows);
	s->adam.shrink = s->sgd.shrink = (float) (1 - rate * s->weight_decay);
	s->adam.gradient_scale = s->sgd.gradient_scale = scale;
	s->adam.rate = (float) (rate * sqrt(1 - s->power2) / (1 - s->power1));
	s->sgd.rate = (float) rate;
	s->steps++;
	return ml_pool_run(env, s->n_pieces, step_task, s);
}

/* After an epoch; stalled: for too long nothing has improved. */
void
ml_mlp_stepper_epoch(MlMlpStepper *s, bool stalled, bool *stop)
{
	s->epoch++;
	*stop = stalled;
	if (!stalled || s->schedule != ML_MLP_ADAPTIVE || s->base_rate * s->adapted <= ADAPTIVE_END)
		return;
	s->adapted /= ADAPTIVE_DIVISOR;
	*stop = false;
}
