/*-------------------------------------------------------------------------
 * linear_terms.c
 *	  What linear and logistic regression have in common beside the design.
 *-------------------------------------------------------------------------
 */
#include "ml/algo/linear_terms.h"

#include <math.h>
#include <string.h>

#include "ml/base/dense.h"

/* No solver has more tasks at a time than this, nor blocks of fewer rows. */
#define MAX_TASKS 16
#define MIN_BLOCK 256

MlStatus
ml_linear_begin(MlEnv *env, size_t rows)
{
	size_t		tasks = rows / MIN_BLOCK + 1;
	int			threads = tasks < MAX_TASKS ? (int) tasks : MAX_TASKS;

	threads = threads > env->threads ? env->threads : threads;
	if (env->dense == NULL)
	{
		ml_fail(env, ML_UNSUPPORTED, "this method needs dense linear algebra, which is not loaded");
		return ml_hint(env, "The module mlplat_dense.so belongs beside mlplat.so; it needs the libraries liblapacke and libopenblas.");
	}
	if (env->dense->reserve(threads) != 0)
	{
		ml_fail(env, ML_NO_MEMORY, "out of memory");
		ml_detail(env, "The dense algebra needs 128 MB of address space for each of %d threads.", threads);
		return ml_hint(env, "Lower mlplat.threads, or raise the memory limit of the server process (ulimit -v, vm.overcommit_memory).");
	}
	return ML_OK;
}

MlStatus
ml_linear_out_of_range(MlEnv *env, const char *what)
{
	ml_fail(env, ML_OUT_OF_RANGE, "%s values too large or too small for a linear model", what);
	return ml_hint(env, "Scale such columns, or take their logarithm.");
}

void
ml_linear_scale_target(const MlDesign *design, const MlDataset *data, bool centered, double *center, int *exponent)
{
	MlDesignStats y;
	double		size;
	int			e = 0;

	ml_design_stats(design, data, data->y, &y);
	*center = centered ? y.mean : 0;
	size = centered ? y.deviation : hypot(y.mean, y.deviation);
	if (size > 0)
		frexp(size, &e);
	*exponent = size > 0 && e - 1 > -1000 ? e - 1 : 0;
}

MlStatus
ml_linear_importance_kind(MlEnv *env, const char *how)
{
	if (how == NULL || strcmp(how, "coefficient") == 0 || strcmp(how, "gain") == 0)
		return ML_OK;
	ml_fail(env, ML_BAD_PARAM, "importance \"%s\" is not known to this method", how);
	return ml_hint(env, "Valid is \"coefficient\": the standard deviation of what a feature adds to the score.");
}

void
ml_linear_put_error(MlWriter *w, double error)
{
	ml_put_double(w, isnan(error) ? -1 : error);
}

double
ml_linear_get_error(MlReader *r)
{
	double		error = ml_get_finite(r);

	if (error < 0 && error != -1)
		ml_reader_corrupt(r, "standard error");
	return error < 0 ? NAN : error;
}

double
ml_linear_log_weights(const MlDataset *data)
{
	double		sum = 0;

	for (size_t i = 0; data->weight != NULL && i < data->n_train; i++)
		sum += data->weight[i] > 0 ? log(data->weight[i]) : 0;
	return sum;
}
