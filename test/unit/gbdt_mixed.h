/*-------------------------------------------------------------------------
 * gbdt_mixed.h
 *	  What the tests of gbdt itself share: forests, settings, and a table with everything in it.
 *-------------------------------------------------------------------------
 */
#ifndef GBDT_MIXED_H
#define GBDT_MIXED_H

#include "gbdt_data.h"

#include "ml/algo/gbdt/gbdt_internal.h"

/* No smoothing, no limits: what a tree does can be said in one line. */
#define FREE "learning_rate=1 min_data_in_bin=1 min_sum_hessian_in_leaf=0 "
#define BARE FREE "min_data_in_leaf=1 "

__attribute__((unused))
static const MlGbdtForest *
forest_of(const MlModel *model)
{
	return model->fitted;
}

/*
 * A mixed table: numbers with missing values, a narrow and a wide category with
 * missing and unseen ones, weights, a part for validation.
 */
__attribute__((unused))
static MlDataset *
mixed_data(MlEnv *env, size_t n, size_t n_valid, int classes, int levels)
{
	MlDataset  *data = gbdt_data(env, n + n_valid, 6, classes);
	int32_t    *a = gbdt_category(env, data, 3, 9);
	int32_t    *b = gbdt_category(env, data, 5, levels);
	double	   *w = ml_alloc(env, n + n_valid, sizeof(double));

	for (size_t i = 0; i < n + n_valid; i++)
	{
		double		s = 0;

		for (int f = 0; f < 5; f++)
		{
			double		v = f < 2 ? gbdt_normal((uint64_t) f, i) : floor(20 * gbdt_random((uint64_t) f, i));

			if (f == 3)
				continue;
			gbdt_number(data, f)[i] = gbdt_random(10 + (uint64_t) f, i) < 0.1 ? NAN : v;
			s += isnan(gbdt_number(data, f)[i]) ? 1 : (f < 2 ? v : v / 10 - 1);
		}
		a[i] = (int32_t) (9.99 * gbdt_random(3, i)) - 1;
		b[i] = (int32_t) (levels * gbdt_random(5, i) * gbdt_random(6, i));
		if (i >= n && i % 5 == 0)
			b[i] = levels;
		s += (a[i] == 2 || a[i] == 5 || a[i] == -1) + (b[i] % 7) / 4.0 + gbdt_normal(7, i) / 2;
		w[i] = 0.5 + gbdt_random(8, i);
		if (classes == 0)
			gbdt_target(data)[i] = s;
		else
			gbdt_target(data)[i] = s < 0 ? 0 : fmin(floor(s / 2 * classes / 2), classes - 1);
	}
	data->n_train = n;
	data->n_valid = n_valid;
	data->weight = w;
	return data;
}

#endif							/* GBDT_MIXED_H */
