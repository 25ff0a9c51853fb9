/*-------------------------------------------------------------------------
 * predict.c
 *	  One call of a predict function: which model, which features.  What it answers: answer.c.
 *
 * What a row costs beyond the model itself: comparing the name and the snapshot with those of
 * the row before, one heap_deform_tuple() and one pass over the columns used.  Nothing is
 * allocated for numbers.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

#include "catalog/model.h"
#include "service/planned_map.h"
#include "service/predict.h"

struct MlCallSite
{
	/* How the model was named in the row before, and when. */
	MlKeyKind	kind;
	int64		id;
	char	   *text;
	Size		text_length;
	Size		text_room;
	bool		resolved;
	MlMoment	moment;
	bool		may_read;		/* at that moment; known once it was asked */

	/* Of a call that the planner made: the version whose columns the arguments are, their names, and which is the first of them. */
	int64		planned;
	ArrayType  *names;
	int			first;
	Jsonb	   *object;			/* or they are the keys of this object, that of the present row */

	MlServed	served;
	MemoryContext context;		/* fn_mcxt */
	MemoryContextCallback release;

	/* Everything below belongs to the version served; in "made", which is reset when that changes. */
	MemoryContext made;
	double	   *x;				/* n_features */
	double	   *out;			/* n_out */
	MlRouter   *router;			/* of a version with segments, else NULL */
	MlAnswer	answer;			/* of the last row */
	MemoryContext map_context;	/* of the map, below "made" */
	MlRowMap   *map;
	bool		map_checked;	/* the row type is still what it was when this statement began */
	Oid			row_type;
	int32		row_typmod;
	uint64		row_identifier;
	TupleDesc	columns;
	Datum	   *values;
	bool	   *nulls;
};

static void
release_site(void *arg)
{
	ml_serve_release(&((MlCallSite *) arg)->served);
}

static MlCallSite *
create_site(FunctionCallInfo fcinfo)
{
	MemoryContext context = fcinfo->flinfo->fn_mcxt;
	MlCallSite *site = MemoryContextAllocZero(context, sizeof(MlCallSite));

	site->context = context;
	site->made = AllocSetContextCreate(context, "mlplat call site", ALLOCSET_SMALL_SIZES);
	site->release.func = release_site;
	site->release.arg = site;
	MemoryContextRegisterResetCallback(context, &site->release);
	fcinfo->flinfo->fn_extra = site;
	return site;
}

static inline bool
same_key(const MlCallSite *site, MlKeyKind kind, int64 id, const char *text, Size length)
{
	return site->kind == kind && site->id == id && site->text_length == length &&
		(length == 0 || memcmp(site->text, text, length) == 0);
}

static void
remember_key(MlCallSite *site, MlKeyKind kind, int64 id, const char *text, Size length)
{
	if (length + 1 > site->text_room)
	{
		site->text = MemoryContextAlloc(site->context, length + 64);
		site->text_room = length + 64;
	}
	memcpy(site->text, text, length);
	site->text[length] = '\0';
	site->text_length = length;
	site->kind = kind;
	site->id = id;
}

static List *
names_of_array(ArrayType *names)
{
	List	   *result = NIL;
	Datum	   *values;
	int			n;

	if (array_contains_nulls(names))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("names of columns must not be null")));
	deconstruct_array(names, TEXTOID, -1, false, TYPALIGN_INT, &values, NULL, &n);
	for (int i = 0; i < n; i++)
		result = lappend(result, TextDatumGetCString(values[i]));
	return result;
}

/* The arguments look like a row whose columns have these names. In the current memory context. */
static TupleDesc
describe_arguments(FunctionCallInfo fcinfo, int first, List *names)
{
	TupleDesc	arguments = CreateTemplateTupleDesc(list_length(names));
	ListCell   *cell;
	int			i = 0;

	foreach(cell, names)
	{
		Oid			type = get_fn_expr_argtype(fcinfo->flinfo, first + i);

		if (!OidIsValid(type))
			elog(ERROR, "could not determine type of argument %d", first + i + 1);
		i++;
		TupleDescInitEntry(arguments, i, lfirst(cell), type, -1, 0);
	}
	return arguments;
}

/* The same of a planned call, which must have a name for each. */
static TupleDesc
describe_planned(FunctionCallInfo fcinfo, int first, ArrayType *names)
{
	List	   *columns = names_of_array(names);

	if (list_length(columns) != PG_NARGS() - first)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("planned prediction is given %d columns for %d names", PG_NARGS() - first, list_length(columns))));
	return describe_arguments(fcinfo, first, columns);
}

/* fits: the version that is asked for can do with the columns at hand. */
static void
settle(MlServed *served, int64 version_id, bool fits)
{
	/* Where the planned version is served, it is for this statement: the next one gets a new plan. */
	ml_forget_plans();
	if (!fits && !ml_serve_planned(version_id, served))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("the version of model \"%s\" that this statement was planned for does not exist any more", served->resolved.name),
				 errdetail("Another version was deployed and the old one dropped after the statement had been planned."),
				 errhint("Execute the statement again.")));
}

void
ml_settle_planned(MlServed *served, int64 version_id, TupleDesc arguments)
{
	int		   *positions = palloc(sizeof(int) * Max(list_length(ml_served_columns(served)), 1));
	bool		fits = ml_rowmap_match(served, arguments, positions);

	pfree(positions);
	settle(served, version_id, fits);
}

static void
forget_made(MlCallSite *site)
{
	MemoryContextReset(site->made);
	site->map = NULL;
	site->map_context = NULL;
	site->x = NULL;
	site->out = NULL;
	site->router = NULL;
}

/* Resolves again; keeps what was made as long as the version is the same. */
static void
resolve_site(MlCallSite *site, FunctionCallInfo fcinfo, const MlMoment *moment)
{
	MlModelKey	key = {site->kind, site->id, site->text};
	const MlModel *before = site->served.model;

	site->resolved = false;		/* if this fails, the next call tries again */
	ml_serve_key(&key, &site->served);
	if (unlikely((site->names != NULL || site->object != NULL) && site->served.resolved.version_id != site->planned))
	{
		forget_made(site);		/* two models may come and go: an address says nothing */
		if (site->names != NULL)
			ml_settle_planned(&site->served, site->planned, describe_planned(fcinfo, site->first, site->names));
		else
			settle(&site->served, site->planned, ml_json_suffices(&site->served, site->object));
	}
	if (site->served.model != before || site->x == NULL)
	{
		MlModel    *model = site->served.model;

		forget_made(site);
		site->x = MemoryContextAlloc(site->made, sizeof(double) * Max(model->schema->n_features, 1));
		site->out = MemoryContextAlloc(site->made, sizeof(double) * model->n_out);
		site->answer = (MlAnswer) {&site->served, site->out, &site->served, site->x, site->out, NULL};
		if (site->served.routing != NULL)
			site->router = ml_router_create(&site->served, site->made);
	}
	site->map_checked = false;
	site->may_read = false;
	site->moment = *moment;
	site->resolved = true;
}

static inline MlCallSite *
find_site(FunctionCallInfo fcinfo, MlKeyKind kind, int64 id, const text *word)
{
	MlCallSite *site = fcinfo->flinfo->fn_extra;
	const char *text = word != NULL ? VARDATA_ANY(word) : "";
	Size		length = word != NULL ? VARSIZE_ANY_EXHDR(word) : 0;
	MlMoment	now;
	bool		same;

	ml_moment_now(&now);
	if (unlikely(site == NULL))
		site = create_site(fcinfo);
	same = site->resolved && same_key(site, kind, id, text, length);
	if (likely(same && ml_moment_equal(&site->moment, &now)))
		return site;
	if (!same)
	{
		site->resolved = false;
		remember_key(site, kind, id, text, length);
	}
	resolve_site(site, fcinfo, &now);
	return site;
}

MlCallSite *
ml_site_by_reference(FunctionCallInfo fcinfo, const text *reference)
{
	return find_site(fcinfo, ML_KEY_REFERENCE, 0, reference);
}

MlCallSite *
ml_site_by_model(FunctionCallInfo fcinfo, int64 model_id, const text *alias)
{
	return find_site(fcinfo, ML_KEY_MODEL, model_id, alias);
}

MlCallSite *
ml_site_by_version(FunctionCallInfo fcinfo, int64 version_id)
{
	return find_site(fcinfo, ML_KEY_VERSION, version_id, NULL);
}

static inline void
predict(MlCallSite *site)
{
	if (likely(site->router == NULL))
		ml_served_predict(&site->served, site->x, site->out);
	else
		site->answer = ml_router_answer(site->router, site->x, site->out);
}

/* The row stands in values and nulls. */
static inline void
predict_mapped(MlCallSite *site)
{
	ml_rowmap_encode(site->map, site->values, site->nulls, site->x);
	if (unlikely(site->router != NULL))
		ml_rowmap_route(site->map, site->values, site->nulls, site->router);
	predict(site);
}

/* Forgets the map; the next one is made in the context returned. */
static MemoryContext
begin_map(MlCallSite *site)
{
	site->map = NULL;
	if (site->map_context != NULL)
		MemoryContextReset(site->map_context);
	else
		site->map_context = AllocSetContextCreate(site->made, "mlplat row map", ALLOCSET_SMALL_SIZES);
	return site->map_context;
}

/* The map for a row type.  ALTER TABLE between two statements of one expression changes the identifier. */
static void
map_row_type(MlCallSite *site, Oid type, int32 typmod)
{
	uint64		identifier = assign_record_type_identifier(type, typmod);
	MemoryContext old;
	TupleDesc	columns;

	if (site->map != NULL && site->row_type == type && site->row_typmod == typmod &&
		site->row_identifier == identifier)
	{
		site->map_checked = true;
		return;
	}
	old = MemoryContextSwitchTo(begin_map(site));
	columns = lookup_rowtype_tupdesc_copy(type, typmod);
	site->columns = columns;
	site->values = palloc(sizeof(Datum) * Max(columns->natts, 1));
	site->nulls = palloc(sizeof(bool) * Max(columns->natts, 1));
	site->map = ml_rowmap_create(&site->served, columns);
	MemoryContextSwitchTo(old);
	site->row_type = type;
	site->row_typmod = typmod;
	site->row_identifier = identifier;
	site->map_checked = true;
}

void
ml_site_row(MlCallSite *site, HeapTupleHeader row)
{
	Oid			type = HeapTupleHeaderGetTypeId(row);
	int32		typmod = HeapTupleHeaderGetTypMod(row);
	HeapTupleData tuple;

	if (unlikely(site->map == NULL || !site->map_checked || type != site->row_type || typmod != site->row_typmod))
		map_row_type(site, type, typmod);
	tuple.t_len = HeapTupleHeaderGetDatumLength(row);
	ItemPointerSetInvalid(&tuple.t_self);
	tuple.t_tableOid = InvalidOid;
	tuple.t_data = row;
	heap_deform_tuple(&tuple, site->columns, site->values, site->nulls);
	predict_mapped(site);
}

void
ml_site_json(MlCallSite *site, Jsonb *features)
{
	ml_json_encode(&site->served, features, site->x);
	if (site->router != NULL)
		ml_json_route(&site->served, features, site->router);
	predict(site);
}

/* A code must be one that the model knows: predict looks nothing up and checks nothing. */
static void
check_code(const MlServed *served, const MlFeature *feature, double code)
{
	if (isnan(code) || (code >= 0 && code <= feature->levels && code == floor(code)))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("feature \"%s\" of model \"%s\" is a category: its code must be an integer from 0 to %d",
					feature->name, served->name, feature->levels),
			 errhint("ml_features(%s) shows the codes; %d stands for any other value, NULL for a missing one.",
					 quote_literal_cstr(served->name), feature->levels)));
}

static void
report_text(const MlServed *served, const MlFeature *feature)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("feature \"%s\" of model \"%s\" is a text, which an array of numbers cannot hold", feature->source_column, served->name),
			 errhint("Pass a row, or a JSON object.")));
}

void
ml_site_array(MlCallSite *site, ArrayType *features)
{
	const MlSchema *schema = site->served.model->schema;
	Datum	   *values;
	bool	   *nulls;
	int			count;

	if (site->router != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("model \"%s\" has a model for each segment, and an array of features does not say which", site->served.name),
				 errhint("Pass the row, or a JSON object that has column \"%s\" too.", site->served.routing->name[0])));
	if (ARR_NDIM(features) > 1 || (ARR_NDIM(features) == 1 && ARR_LBOUND(features)[0] != 1))
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("features of model \"%s\" must be an array of one dimension that starts at 1", site->served.name)));
	deconstruct_array(features, FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &values, &nulls, &count);
	for (int f = 0; f < schema->n_features; f++)
	{
		if (schema->features[f].text != NULL)
			report_text(&site->served, &schema->features[f]);
	}
	if (count != schema->n_features)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("model \"%s\" needs %d features, the array has %d elements",
						site->served.name, schema->n_features, count),
				 errhint("ml_features(%s) shows their order; a NULL element is a missing value.",
							 quote_literal_cstr(site->served.name))));
	for (int f = 0; f < count; f++)
	{
		double		value = nulls[f] ? NAN : DatumGetFloat8(values[f]);


		if (isinf(value))
			ereport(ERROR,
					(errcode(ERRCODE_DATA_EXCEPTION),
					 errmsg("feature \"%s\" must not be infinite", schema->features[f].name)));
		if (schema->features[f].kind == ML_FEATURE_CATEGORY)
			check_code(&site->served, &schema->features[f], value);
		site->x[f] = value;
	}
	pfree(values);
	pfree(nulls);
	predict(site);
}

/* The same of any other call: of these names, or of those that the version reads. */
static TupleDesc
describe_given(FunctionCallInfo fcinfo, int first, ArrayType *names)
{
	const MlCallSite *site = fcinfo->flinfo->fn_extra;
	List	   *columns = names == NULL ? ml_served_columns(&site->served) : names_of_array(names);

	if (list_length(columns) != PG_NARGS() - first)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("model \"%s\" is given %d columns for %d names", site->served.name, PG_NARGS() - first, list_length(columns))));
	return describe_arguments(fcinfo, first, columns);
}

static void
map_arguments(MlCallSite *site, FunctionCallInfo fcinfo, int first, ArrayType *names)
{
	MemoryContext old = MemoryContextSwitchTo(begin_map(site));
	int			count = PG_NARGS() - first;

	site->values = palloc(sizeof(Datum) * Max(count, 1));
	site->nulls = palloc(sizeof(bool) * Max(count, 1));
	if (site->names != NULL)
		site->map = ml_planned_map(&site->served, fcinfo, first, site->names, describe_planned);
	else
		site->map = ml_planned_map(&site->served, fcinfo, first, names, describe_given);
	MemoryContextSwitchTo(old);
}

void
ml_site_columns(MlCallSite *site, FunctionCallInfo fcinfo, int first, ArrayType *names)
{
	int			count = PG_NARGS() - first;

	if (get_fn_expr_variadic(fcinfo->flinfo))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("the columns cannot be passed as a VARIADIC array")));
	if (unlikely(site->map == NULL))
		map_arguments(site, fcinfo, first, names);
	for (int i = 0; i < count; i++)
	{
		site->nulls[i] = PG_ARGISNULL(first + i);
		site->values[i] = site->nulls[i] ? (Datum) 0 : PG_GETARG_DATUM(first + i);
	}
	predict_mapped(site);
}

void
ml_site_last_row(const MlCallSite *site, MlSiteRow *row)
{
	const MlAnswer *answer = &site->answer;

	*row = (MlSiteRow) {answer->by, site->map, site->values, site->nulls, site->x, answer->x,
	ml_model_encode(answer->by->model, answer->x), answer->by_out, answer->feature_of};
}

void
ml_site_require_read(MlCallSite *site)
{
	const MlResolved *resolved = &site->served.resolved;

	if (site->may_read)
		return;
	ml_model_require_id(resolved->model_id, resolved->name, ML_PRIVILEGE_READ, ml_serving_snapshot());
	site->may_read = true;
}

MlCallSite *
ml_site_planned(FunctionCallInfo fcinfo, int first, MlKeyKind kind, int64 id, const text *word, int64 version_id, Datum names)
{
	MlCallSite *site = fcinfo->flinfo->fn_extra;

	/* It must know before it is resolved. */
	if (unlikely(site == NULL))
	{
		MemoryContext old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
		ArrayType  *columns = DatumGetArrayTypePCopy(names);

		site = create_site(fcinfo);
		site->planned = version_id;
		site->names = columns;
		site->first = first;
		MemoryContextSwitchTo(old);
	}
	site = find_site(fcinfo, kind, id, word);
	ml_site_columns(site, fcinfo, first, NULL);
	return site;
}

MlCallSite *
ml_site_planned_json(FunctionCallInfo fcinfo, const text *reference, int64 version_id, Jsonb *features)
{
	MlCallSite *site = fcinfo->flinfo->fn_extra;

	if (site == NULL)
		site = create_site(fcinfo);
	site->planned = version_id;
	site->object = features;
	site = find_site(fcinfo, ML_KEY_REFERENCE, 0, reference);
	ml_site_json(site, features);
	return site;
}

const MlAnswer *
ml_site_answer(const MlCallSite *site)
{
	return &site->answer;
}
