/*-------------------------------------------------------------------------
 * predict.h
 *	  One call of a predict function: which model, which features, which answer.
 *
 * A call site is one place in a plan that calls a predict function.  It keeps its model,
 * the map of its row type and its buffers from row to row.  A statement has one
 * snapshot, so a call site serves one version for the whole statement; expressions that
 * outlive a statement (PL/pgSQL) are noticed by their new snapshot.
 *-------------------------------------------------------------------------
 */
#ifndef ML_SERVICE_PREDICT_H
#define ML_SERVICE_PREDICT_H

#include "postgres.h"

#include "fmgr.h"
#include "access/htup.h"
#include "service/rowmap.h"
#include "service/serving.h"
#include "utils/array.h"
#include "utils/jsonb.h"

typedef struct MlCallSite MlCallSite;

/* The call site of this call, with the model resolved for the active snapshot. */
extern MlCallSite *ml_site_by_reference(FunctionCallInfo fcinfo, const text *reference);
extern MlCallSite *ml_site_by_model(FunctionCallInfo fcinfo, int64 model_id, const text *alias);
extern MlCallSite *ml_site_by_version(FunctionCallInfo fcinfo, int64 version_id);

/* The features of the call, from each shape in which they come; the site predicts at once. */
extern void ml_site_row(MlCallSite *site, HeapTupleHeader row);
extern void ml_site_json(MlCallSite *site, Jsonb *features);
extern void ml_site_array(MlCallSite *site, ArrayType *features);

/*
 * Arguments "first" and on are columns (VARIADIC "any"): of these names, found like those of a row; or without names, those
 * that the model reads, in its order.  Only who names a version can know that order.  The names are those of the call site.
 */
extern void ml_site_columns(MlCallSite *site, FunctionCallInfo fcinfo, int first, ArrayType *names);

/*
 * A call that the planner made out of one with a row (prune.c): arguments "first" and on are the columns that
 * version_id reads, names theirs (text[]); kind, id and word name the model, as above.  Predicts at once.
 */
extern MlCallSite *ml_site_planned(FunctionCallInfo fcinfo, int first, MlKeyKind kind, int64 id, const text *word,
								   int64 version_id, Datum names);

/* The same with an object of the columns that version_id reads. */
extern MlCallSite *ml_site_planned_json(FunctionCallInfo fcinfo, const text *reference, int64 version_id, Jsonb *features);

/*
 * For a plan that fetches the columns (arguments) of one version, where the reference means another by now, served: leaves that one where the
 * columns do for it as well, else puts the planned one in its place; 42704 when that has been dropped.  The session's plans are made anew.
 */
extern void ml_settle_planned(MlServed *served, int64 version_id, TupleDesc arguments);

/* What was predicted last. */
extern const MlAnswer *ml_site_answer(const MlCallSite *site);

/* answer.c: the same, as each function returns it; 42809 where the model's task has no such answer. */
extern double ml_site_value(MlCallSite *site);
extern text *ml_site_class(MlCallSite *site);
extern double ml_site_probability(MlCallSite *site, const text *class_label);	/* NULL: see ml_predict_proba */
extern Jsonb *ml_site_probabilities(MlCallSite *site);
extern ArrayType *ml_site_vector(MlCallSite *site);

/* Numbers as an array, in the current memory context. */
extern ArrayType *ml_float8_array(const double *values, int n);

/* The row that the site has just predicted (ml_site_row), for who explains it; valid until the next one. */
typedef struct MlSiteRow
{
	const MlServed *served;		/* whose model predicted: that of the row's segment, where it has one */
	const MlRowMap *map;		/* of the version */
	const Datum *values;		/* as the row has them */
	const bool *nulls;
	const double *encoded;		/* by the map */
	const double *x;			/* by feature of the model */
	const double *seen;			/* by encoded column: as its method saw it */
	const double *out;
	const int  *feature_of;		/* features of the model -> of the map; NULL: the same */
} MlSiteRow;

/* The row just predicted, as the method saw it: an object with a key for each encoded column. */
extern Jsonb *ml_site_transformed(MlCallSite *site);

extern void ml_site_last_row(const MlCallSite *site, MlSiteRow *row);

/* 42501 unless the current role may read the model; asked once per statement. */
extern void ml_site_require_read(MlCallSite *site);

/* Whether ml_predict_proba() has an answer. */
extern bool ml_has_probabilities(const MlModel *model);

/* 42809 for a model whose answer is a vector, or is none: each names the function that fits. */
extern void ml_require_scalar(const MlServed *served);
extern void ml_require_vector(const MlServed *served);

/* The same answers for a model outside a call site; a class may be in the current memory context. */
extern double ml_predicted_value(const MlServed *served, const double *out);
extern const char *ml_predicted_class(const MlServed *served, const double *out);
extern double ml_predicted_probability(const MlServed *served, const double *out);

/* jsonrow.c: whether an object has a key for each column that the version reads. */
extern bool ml_json_suffices(const MlServed *served, Jsonb *features);

/* An object with a key for each column -> encoded row. */
extern void ml_json_encode(const MlServed *served, Jsonb *features, double *x);

/* The key of such a row for the router of a version with segments. */
extern void ml_json_route(const MlServed *served, Jsonb *features, MlRouter *router);

#endif							/* ML_SERVICE_PREDICT_H */
