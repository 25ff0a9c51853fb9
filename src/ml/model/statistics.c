/*-------------------------------------------------------------------------
 * statistics.c
 *	  What is known of a fit as a whole: R squared, deviance, AIC, ...
 *-------------------------------------------------------------------------
 */
#include "ml/model/statistics.h"

#include <math.h>

#include "ml/base/arena.h"

static const char *const names[] = {
#define ML_STATISTIC_NAME(kind, name) name,
	ML_STATISTICS(ML_STATISTIC_NAME)
#undef ML_STATISTIC_NAME
};

void
ml_statistics_add(MlStatistics *s, MlStatisticKind kind, double value)
{
	for (int i = 0; i < s->count; i++)
		if (s->kind[i] == kind)
		{
			s->value[i] = value;
			return;
		}
	s->kind[s->count] = (uint8_t) kind;
	s->value[s->count++] = value;
}

double
ml_statistics_get(const MlStatistics *s, MlStatisticKind kind)
{
	for (int i = 0; i < s->count; i++)
		if (s->kind[i] == kind)
			return s->value[i];
	return NAN;
}

void
ml_statistics_save(const MlStatistics *s, MlWriter *w)
{
	ml_put_u8(w, (uint8_t) s->count);
	for (int i = 0; i < s->count; i++)
	{
		ml_put_u8(w, s->kind[i]);
		ml_put_u8(w, isfinite(s->value[i]));
		ml_put_double(w, isfinite(s->value[i]) ? s->value[i] : 0);
	}
}

MlStatus
ml_statistics_load(MlReader *r, MlStatistics *s)
{
	uint8_t		count = ml_get_u8(r);
	bool		seen[ML_N_STATISTICS] = {false};

	s->count = 0;
	ML_TRY(r->status);
	if (count > ML_N_STATISTICS)
		return ml_reader_corrupt(r, "number of statistics");
	for (int i = 0; i < count; i++)
	{
		uint8_t		kind = ml_get_u8(r);
		uint8_t		known = ml_get_u8(r);
		double		value = ml_get_finite(r);

		ML_TRY(r->status);
		if (kind >= ML_N_STATISTICS || seen[kind] || known > 1)
			return ml_reader_corrupt(r, "kind of a statistic");
		seen[kind] = true;
		s->kind[s->count] = kind;
		s->value[s->count++] = known ? value : NAN;
	}
	return r->status;
}

MlStatus
ml_statistics_rows(MlEnv *env, const MlStatistics *s, MlStatistic **rows, size_t *count)
{
	*rows = ml_alloc0(env, (size_t) s->count + 1, sizeof(MlStatistic));
	if (*rows == NULL)
		return env->error.status;
	for (int i = 0; i < s->count; i++)
	{
		(*rows)[i].name = names[s->kind[i]];
		(*rows)[i].value = s->value[i];
	}
	*count = (size_t) s->count;
	return ML_OK;
}
