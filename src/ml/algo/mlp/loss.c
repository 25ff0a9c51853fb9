/*-------------------------------------------------------------------------
 * loss.c
 *	  What a row costs, and the slope of that.
 *
 * In double: a row has few outputs.  Only exp and log of base/elementary.h, so that
 * a fit does not depend on the C library.
 *-------------------------------------------------------------------------
 */
#include <math.h>

#include "ml/algo/mlp/mlp_internal.h"
#include "ml/base/elementary.h"

static double
regression_loss(const MlMlpTarget *t, double y, double z, double *slope)
{
	double		d = z - y;
	double		e;

	switch (t->loss)
	{
		case ML_MLP_HUBER:
			if (fabs(d) > t->delta)
			{
				*slope = d > 0 ? t->delta : -t->delta;
				return t->delta * (fabs(d) - 0.5 * t->delta);
			}
			break;
		case ML_MLP_ABSOLUTE:
			*slope = d > 0 ? 1 : d < 0 ? -1 : 0;
			return fabs(d);
		case ML_MLP_POISSON:
			/* Beyond e^80 the count is out of the range of float anyway. */
			e = ml_exp(z > 80 ? 80 : z);
			*slope = e - y;
			return e - y * z;
		case ML_MLP_SQUARED:
		case ML_MLP_CROSS_ENTROPY:
			break;
	}
	*slope = d;
	return 0.5 * d * d;
}

/*
 * -(1 - p)^gamma log p (Lin et al. 2017) of the row's own class with probability p; *factor is
 * what (p_j - y_j) of the cross entropy is multiplied with.
 */
static double
focal_loss(double gamma, double p, double log_p, double *factor)
{
	double		rest = 1 - p;
	double		power;

	if (rest <= 0)
	{
		*factor = 0;
		return 0;
	}
	power = ml_exp(gamma * ml_log(rest));
	*factor = power - gamma * power / rest * p * log_p;
	return -power * log_p;
}

/* log(1 + exp(z)), never overflowing. */
static double
softplus(double z)
{
	return z > 0 ? z + ml_log1p(ml_exp(-z)) : ml_log1p(ml_exp(z));
}

static double
binary_loss(const MlMlpTarget *t, int class_number, double z, double *slope)
{
	double		y = class_number == 1 ? 1 : 0;
	double		p = ml_sigmoid(z);

	if (t->focal > 0)
	{
		double		own = class_number == 1 ? p : ml_sigmoid(-z);
		double		factor;
		double		loss = focal_loss(t->focal, own, -softplus(class_number == 1 ? -z : z), &factor);

		*slope = factor * (p - y);
		return loss;
	}
	y = y * (1 - t->smoothing) + 0.5 * t->smoothing;
	*slope = p - y;
	return softplus(z) - y * z;
}

static double
softmax_loss(const MlMlpTarget *t, int class_number, const float *z, float *gradient)
{
	int			n = t->outputs;
	double		highest = z[0];
	double		sum = 0;
	double		total = 0;
	double		log_sum;
	double		loss;
	double		factor = 1;
	double		even = t->smoothing / n;

	for (int j = 1; j < n; j++)
		highest = z[j] > highest ? z[j] : highest;
	for (int j = 0; j < n; j++)
	{
		double		e = ml_exp(z[j] - highest);

		sum += e;
		total += z[j] - highest;
		if (gradient != NULL)
			gradient[j] = (float) e;
	}
	log_sum = ml_log(sum);
	loss = log_sum - (1 - t->smoothing) * (z[class_number] - highest) - even * total;
	if (t->focal > 0)
	{
		double		log_p = z[class_number] - highest - log_sum;

		loss = focal_loss(t->focal, ml_exp(log_p), log_p, &factor);
	}
	for (int j = 0; gradient != NULL && j < n; j++)
	{
		double		y = even + (j == class_number ? 1 - t->smoothing : 0);

		gradient[j] = (float) (factor * (gradient[j] / sum - y));
	}
	return loss;
}

double
ml_mlp_loss(const MlMlpTarget *target, size_t row, const float *z, float *gradient)
{
	double		slope;
	double		loss;

	if (target->link == ML_MLP_LINK_SOFTMAX)
		return softmax_loss(target, target->class_of[row], z, gradient);
	if (target->link == ML_MLP_LINK_LOGISTIC)
		loss = binary_loss(target, target->class_of[row], z[0], &slope);
	else
		loss = regression_loss(target, target->y[row], z[0], &slope);
	if (gradient != NULL)
		gradient[0] = (float) slope;
	return loss;
}
