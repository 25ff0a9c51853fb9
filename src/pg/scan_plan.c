/*-------------------------------------------------------------------------
 * scan_plan.c
 *	  Which columns of a source are read, in which role and in which form.
 *
 * Each source column has one natural form (number, text, array), in which it is
 * a feature and enters the row hash: so the hash of a row does not depend on the
 * algorithm.  A role that wants another form (a boolean target is a category, an integer id
 * an exact key) gets a feed of its own, which is not hashed.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "ml/model/params.h"
#include "pg/compat.h"
#include "pg/names.h"
#include "pg/scan_internal.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/rls.h"

/* More features than this are a mistake, most likely a text cut into an array. */
#define MAX_COLUMNS 100000

/* Of an array nothing is known about. */
#define UNKNOWN_ELEMENTS 16

/* At most this many names are listed in a hint. */
#define MAX_LISTED 30

/* --------------------------------------------------- names and messages */

static const char *
column_name(const MlSource *source, int column)
{
	return NameStr(TupleDescAttr(source->columns, column)->attname);
}

static Oid
column_type(const MlSource *source, int column)
{
	return TupleDescAttr(source->columns, column)->atttypid;
}

static int
find_column(const MlSource *source, const char *name)
{
	for (int i = 0; i < source->columns->natts; i++)
	{
		if (strcmp(column_name(source, i), name) == 0)
			return i;
	}
	return -1;
}

static bool
is_listed(const List *names, const char *name)
{
	ListCell   *cell;

	foreach(cell, names)
	{
		if (strcmp(lfirst(cell), name) == 0)
			return true;
	}
	return false;
}

static bool
is_same(const char *name, const char *other)
{
	return other != NULL && strcmp(name, other) == 0;
}

static bool
is_numeric_type(Oid type)
{
	MlConverter converter;

	return ml_converter_init(&converter, type, "") && converter.kind != ML_CONVERT_ARRAY &&
		(converter.logical == ML_LOGICAL_INTEGER || converter.logical == ML_LOGICAL_FLOAT);
}

/* "a, b, c" of the columns one may read, cut where it gets long; NULL for none. */
static char *
list_columns(const MlSource *source, bool numeric_only)
{
	StringInfoData list;
	int			listed = 0;

	initStringInfo(&list);
	for (int i = 0; i < source->columns->natts; i++)
	{
		if (!source->readable[i] || (numeric_only && !is_numeric_type(column_type(source, i))))
			continue;
		if (listed++ == MAX_LISTED)
		{
			appendStringInfoString(&list, ", ...");
			break;
		}
		appendStringInfo(&list, "%s%s", listed > 1 ? ", " : "", quote_identifier(column_name(source, i)));
	}
	return listed > 0 ? list.data : NULL;
}

static const char *
nearest_column(const MlSource *source, const char *name)
{
	const char **names = palloc(source->columns->natts * sizeof(char *));
	int			count = 0;

	for (int i = 0; i < source->columns->natts; i++)
	{
		if (!source->readable[i])
			continue;
		/* Capitals are the usual slip, and ml_nearest may find them far apart. */
		if (pg_strcasecmp(column_name(source, i), name) == 0)
			return column_name(source, i);
		names[count++] = column_name(source, i);
	}
	return ml_nearest(name, names, count);
}

static const char *
source_title(const MlSource *source)
{
	return source->is_query ? "the source query" : psprintf("\"%s\"", get_rel_name(source->relid));
}

/* The column, or 42703 that helps to find the right name.  role: "target", "id", ... */
static int
need_column(const MlSource *source, const char *name, const char *role)
{
	int			column = find_column(source, name);
	const char *near;

	if (column >= 0)
		return column;
	near = nearest_column(source, name);
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 errmsg("column \"%s\" of %s does not exist", name, source_title(source)),
			 errdetail("It was named as %s.", role),
			 near != NULL ? errhint("Perhaps you meant the column \"%s\".", near)
			 : errhint("The columns are: %s.", list_columns(source, false))));
}

/* How a value of an unsupported type can be made usable. */
static const char *
cast_hint(Oid type, const char *name)
{
	const char *column = quote_identifier(name);

	switch (getBaseType(type))
	{
		case JSONOID:
		case JSONBOID:
			return psprintf("Extract what you need in a query or a view, for example (%s->>'key')::float8 AS key.", column);
		case POINTOID:
			return psprintf("Take its coordinates in a query or a view: %s[0] AS x, %s[1] AS y.", column, column);
		case BYTEAOID:
			return psprintf("Use something derived from it in a query or a view, for example length(%s).", column);
		case CASHOID:
			return psprintf("Cast it in a query or a view: %s::numeric.", column);
		case TIMETZOID:
			return psprintf("Cast it in a query or a view: %s::time.", column);
		default:
			if (type_is_range(getBaseType(type)) || type_is_multirange(getBaseType(type)))
				return psprintf("Take its bounds in a query or a view: lower(%s), upper(%s).", column, column);
			if (OidIsValid(get_element_type(getBaseType(type))))
				return psprintf("Arrays of numbers can be features; else take elements in a query or a view: %s[1].", column);
			return psprintf("Cast it in a query or a view, for example %s::text.", column);
	}
}

static void
refuse_type(const MlSource *source, int column, const char *role)
{
	Oid			type = column_type(source, column);

	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("column \"%s\" of type %s cannot be used as %s", column_name(source, column), format_type_be(type), role),
			 errhint("%s", cast_hint(type, column_name(source, column)))));
}

static void
refuse_unreadable(const MlSource *source, int column, const char *role)
{
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied for column \"%s\" of %s", column_name(source, column), source_title(source)),
			 errdetail("It was named as %s.", role)));
}

static void
refuse_not_numeric(const MlSource *source, int column, const char *role)
{
	char	   *numeric = list_columns(source, true);

	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("column \"%s\" of type %s cannot be used as %s", column_name(source, column),
					format_type_be(column_type(source, column)), role),
			 errdetail("It has to be a number."),
			 numeric != NULL ? errhint("The numeric columns are: %s.", numeric) : 0));
}

/* -------------------------------------------------------------- checks */

static void
check_named(const MlSource *source, const char *name, const char *role)
{
	int			column;

	if (name == NULL)
		return;
	column = need_column(source, name, role);
	if (!source->readable[column])
		refuse_unreadable(source, column, role);
}

static void
check_features(const MlSource *source, const MlScanRoles *roles)
{
	ListCell   *cell;
	List	   *seen = NIL;

	foreach(cell, roles->features)
	{
		const char *name = lfirst(cell);

		check_named(source, name, "a feature");
		if (is_listed(seen, name))
			ereport(ERROR,
					(errcode(ERRCODE_DUPLICATE_COLUMN),
					 errmsg("column \"%s\" is named twice among the features", name)));
		if (is_same(name, roles->target))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("column \"%s\" is both the target and a feature", name),
					 errdetail("A model that sees the target has nothing to learn.")));
		if (is_listed(roles->exclude, name))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("column \"%s\" is both named as a feature and excluded", name)));
		seen = lappend(seen, (void *) name);
	}
	list_free(seen);
}

static void
check_segment_columns(const MlSource *source, const MlScanRoles *roles)
{
	ListCell   *cell;
	List	   *seen = NIL;

	foreach(cell, roles->segment_by)
	{
		const char *name = lfirst(cell);

		check_named(source, name, "a segment column");
		if (is_listed(seen, name))
			ereport(ERROR,
					(errcode(ERRCODE_DUPLICATE_COLUMN),
					 errmsg("column \"%s\" is named twice in segment_by", name)));
		if (is_same(name, roles->target))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("column \"%s\" is both the target and a segment column", name),
					 errdetail("Rows to predict have no target to choose a model by.")));
		seen = lappend(seen, (void *) name);
	}
	list_free(seen);
}

static void
check_roles(const MlSource *source, const MlScanRoles *roles)
{
	ListCell   *cell;

	check_named(source, roles->target, "the target");
	check_named(source, roles->id, "the id");
	check_named(source, roles->weight, "the weight");
	check_named(source, roles->split_by, "the split column");
	check_segment_columns(source, roles);
	foreach(cell, roles->exclude)
		(void) need_column(source, lfirst(cell), "a column to exclude");
	check_features(source, roles);
}

/* --------------------------------------------------------------- feeds */

typedef struct MlFeedBuilder
{
	MlScanPlan *plan;
	MlPrivatePlan *private_plan;
	const MlScanRoles *roles;
	bool	   *needed;			/* per source column */
	int			capacity;
} MlFeedBuilder;

static MlFeed *
add_feed(MlFeedBuilder *b, int column, const MlConverter *converter, MlFeedKind kind, int roles)
{
	const MlSource *source = b->plan->source;
	MlPrivatePlan *private_plan = b->private_plan;
	MlFeed	   *feed;

	if (private_plan->n_feeds == b->capacity)
	{
		b->capacity *= 2;
		private_plan->feeds = repalloc_huge(private_plan->feeds, b->capacity * sizeof(MlFeed));
	}
	feed = &private_plan->feeds[private_plan->n_feeds++];
	memset(feed, 0, sizeof(MlFeed));
	feed->kind = kind;
	feed->place = column;		/* of the source; made a place in the rows at the end */
	feed->converter = *converter;
	feed->elements = -1;
	feed->spec.name = feed->spec.source_column = column_name(source, column);
	feed->spec.type_name = ml_type_name(column_type(source, column));
	feed->spec.kind = kind == ML_FEED_TEXT ? ML_CATEGORY : ML_NUMBER;
	feed->spec.logical = converter->logical;
	feed->spec.roles = roles;
	b->needed[column] = true;
	return feed;
}

static MlFeedKind
natural_kind(const MlConverter *converter)
{
	switch (converter->kind)
	{
		case ML_CONVERT_INTEGER:
			return ML_FEED_INTEGER;
		case ML_CONVERT_TEXT:
			return ML_FEED_TEXT;
		case ML_CONVERT_ARRAY:
			return ML_FEED_ARRAY;
		default:
			return ML_FEED_NUMBER;
	}
}

/* Whether the target has to be read as text although it is no text: labels survive as they are. */
static bool
target_wants_text(const MlScanRoles *roles, const MlConverter *converter)
{
	return roles->target_is_class || (converter->logical == ML_LOGICAL_BOOLEAN && !roles->boolean_is_number);
}

static bool
is_plain_number(const MlConverter *converter)
{
	return converter->kind != ML_CONVERT_ARRAY && converter->kind != ML_CONVERT_TEXT &&
		(converter->logical == ML_LOGICAL_INTEGER || converter->logical == ML_LOGICAL_FLOAT);
}

/* An id may be any scalar; the exact types are kept exactly, numeric by its digits. */
static bool
id_wants_text(const MlConverter *converter)
{
	return converter->type == NUMERICOID || converter->logical == ML_LOGICAL_BOOLEAN || converter->type == INTERVALOID;
}

/* The roles besides feature that a column was named for, sorted by the form they want. */
typedef struct MlNamedRoles
{
	int			natural;
	int			text;
	int			key;
} MlNamedRoles;

/* Equal values have equal texts, and there are not too many of them as a rule. */
static bool
tells_segments_apart(const MlConverter *converter)
{
	return converter->kind == ML_CONVERT_TEXT || converter->type == DATEOID ||
		(converter->kind != ML_CONVERT_ARRAY &&
		 (converter->logical == ML_LOGICAL_BOOLEAN || converter->logical == ML_LOGICAL_INTEGER));
}

static void
refuse_segment_type(const MlSource *source, int column)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("column \"%s\" of type %s cannot tell segments apart", column_name(source, column), format_type_be(column_type(source, column))),
			 errhint("Name columns of text, integers, booleans or dates; cast others in a query or a view.")));
}

static MlNamedRoles
named_roles(const MlSource *source, const MlScanRoles *roles, int column, const MlConverter *converter)
{
	const char *name = column_name(source, column);
	MlNamedRoles named = {0, 0, 0};
	bool		is_text = converter->kind == ML_CONVERT_TEXT;

	if (is_same(name, roles->target))
	{
		if (converter->kind == ML_CONVERT_ARRAY)
			refuse_type(source, column, "the target");
		*(!is_text && target_wants_text(roles, converter) ? &named.text : &named.natural) |= ML_ROLE_TARGET;
	}
	if (is_same(name, roles->weight))
	{
		if (!is_plain_number(converter))
			refuse_not_numeric(source, column, "the weight");
		named.natural |= ML_ROLE_WEIGHT;
	}
	if (is_same(name, roles->split_by))
	{
		if (converter->kind == ML_CONVERT_ARRAY)
			refuse_type(source, column, "the split column");
		if (!roles->split_is_category && (is_text || converter->logical == ML_LOGICAL_BOOLEAN))
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("column \"%s\" of type %s cannot order the rows in time", name, format_type_be(column_type(source, column))),
					 errhint("Name a date, a timestamp or a number in split_by.")));
		*(!is_text && roles->split_is_category ? &named.text : &named.natural) |= ML_ROLE_SPLIT;
	}
	if (is_listed(roles->segment_by, name))
	{
		if (!tells_segments_apart(converter))
			refuse_segment_type(source, column);
		*(!is_text ? &named.text : &named.natural) |= ML_ROLE_SEGMENT;
	}
	if (is_same(name, roles->id))
	{
		if (converter->kind == ML_CONVERT_ARRAY)
			refuse_type(source, column, "the id");
		if (ml_converter_is_integer(converter))
			named.key |= ML_ROLE_ID;
		else
			*(!is_text && id_wants_text(converter) ? &named.text : &named.natural) |= ML_ROLE_ID;
	}
	return named;
}

/* What the column may be used for by itself: as a feature. */
static bool
is_feature(const MlScanRoles *roles, const char *name)
{
	if (roles->features_given)
		return is_listed(roles->features, name);
	return !is_same(name, roles->target) && !is_same(name, roles->id) && !is_same(name, roles->weight) &&
		!is_same(name, roles->split_by) && !is_listed(roles->segment_by, name) && !is_listed(roles->exclude, name);
}

/* How a message calls what the column was named for, NULL when it was not named. */
static const char *
named_role(const MlScanRoles *roles, const char *name)
{
	if (is_same(name, roles->target))
		return "the target";
	if (is_same(name, roles->id))
		return "the id";
	if (is_same(name, roles->weight))
		return "the weight";
	if (is_same(name, roles->split_by))
		return "the split column";
	if (is_listed(roles->segment_by, name))
		return "a segment column";
	if (roles->features_given && is_listed(roles->features, name))
		return "a feature";
	return NULL;
}

/* Elements of an array column as far as statistics tell. */
static double
likely_elements(const MlSource *source, const MlConverter *converter, int column)
{
	AttrNumber	attribute;
	int32		width = 0;

	if (OidIsValid(source->relid))
	{
		attribute = get_attnum(source->relid, column_name(source, column));
		width = get_attavgwidth(source->relid, attribute);
	}
	if (width <= 0)
		return UNKNOWN_ELEMENTS;
	return Max(1.0, (width - 20.0) / (converter->element_length > 0 ? converter->element_length : 8));
}

/* Whether the column can be read at all; otherwise says why not, loudly if it was named. */
static bool
can_use(MlFeedBuilder *b, int column, MlConverter *converter)
{
	const MlSource *source = b->plan->source;
	const char *name = column_name(source, column);
	const char *role = named_role(b->roles, name);
	const char *why;

	if (!source->readable[column])
		why = "permission denied";
	else if (ml_converter_init(converter, column_type(source, column), name))
		return true;
	else if (role != NULL)
		refuse_type(source, column, role);
	else
		why = psprintf("type %s cannot be used", format_type_be(column_type(source, column)));
	if (is_feature(b->roles, name))
		b->plan->excluded = lappend(b->plan->excluded, psprintf("%s: %s", name, why));
	return false;
}

static MlTimeUnit
unit_of(const MlConverter *converter)
{
	switch (converter->type)
	{
		case DATEOID:
			return ML_UNIT_DAYS;
		case TIMEOID:
			return ML_UNIT_SECONDS_OF_DAY;
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			return ML_UNIT_SECONDS;
		default:
			return ML_UNIT_NONE;
	}
}

/* What a transform wants of a feature. */
static void
take_form(const MlFeedBuilder *b, const char *name, MlFeed *feed)
{
	for (int i = 0; i < b->roles->n_forms; i++)
	{
		if (strcmp(b->roles->forms[i].column, name) != 0)
			continue;
		feed->spec.not_a_key = true;
		if (feed->kind == ML_FEED_TEXT)
		{
			feed->spec.buckets = b->roles->forms[i].buckets;
			feed->spec.tokens = b->roles->forms[i].tokens;
		}
	}
}

static void
feed_column(MlFeedBuilder *b, int column)
{
	const MlSource *source = b->plan->source;
	const char *name = column_name(source, column);
	MlConverter converter;
	MlNamedRoles named;
	int			natural;
	MlFeed	   *feed;

	if (!can_use(b, column, &converter))
		return;
	named = named_roles(source, b->roles, column, &converter);
	natural = named.natural | (is_feature(b->roles, name) ? ML_ROLE_FEATURE : 0);
	if (natural != 0 || b->roles->row_hash)
	{
		feed = add_feed(b, column, &converter, natural_kind(&converter), natural != 0 ? natural : ML_ROLE_HASH);
		feed->spec.named = (natural & ML_ROLE_FEATURE) != 0 && b->roles->features_given;
		feed->converter.lenient = natural == 0;
		feed->spec.unit = unit_of(&converter);
		if ((natural & ML_ROLE_FEATURE) != 0)
			take_form(b, name, feed);
		if (feed->kind == ML_FEED_ARRAY)
			feed->likely_elements = likely_elements(source, &converter, column);
	}
	if (named.text != 0)
	{
		feed = add_feed(b, column, &converter, ML_FEED_TEXT, named.text);
		feed->spec.unhashed = (named.text & ML_ROLE_ID) == 0;
	}
	if (named.key != 0)
	{
		feed = add_feed(b, column, &converter, ML_FEED_INTEGER, named.key);
		feed->spec.kind = ML_INTEGER_KEY;
	}
}

/* Places in the rows that are read instead of numbers of source columns. */
static void
settle_places(MlFeedBuilder *b)
{
	const MlSource *source = b->plan->source;
	int		   *place = palloc(source->columns->natts * sizeof(int));
	int			places = 0;

	for (int i = 0; i < source->columns->natts; i++)
	{
		place[i] = places;
		if (!b->needed[i])
			continue;
		places++;
		b->plan->source_columns = lappend(b->plan->source_columns, pstrdup(column_name(source, i)));
	}
	for (int i = 0; i < b->private_plan->n_feeds; i++)
	{
		MlFeed	   *feed = &b->private_plan->feeds[i];

		feed->place = place[feed->place];
		if (feed->spec.roles & ML_ROLE_ID)
			b->private_plan->id = feed;
	}
	pfree(place);
}

static void
require_features(const MlScanPlan *plan, const MlPrivatePlan *private_plan)
{
	StringInfoData why;
	ListCell   *cell;

	for (int i = 0; i < private_plan->n_feeds; i++)
	{
		if (private_plan->feeds[i].spec.roles & ML_ROLE_FEATURE)
			return;
	}
	initStringInfo(&why);
	foreach(cell, plan->excluded)
		appendStringInfo(&why, "%s%s", why.len > 0 ? "; " : "", (char *) lfirst(cell));
	ereport(ERROR,
			(errcode(ERRCODE_DATA_EXCEPTION),
			 errmsg("no column of %s is left to learn from", source_title(plan->source)),
			 why.len > 0 ? errdetail("Left out: %s.", why.data) : 0));
}

void
ml_scan_expand(MlScanPlan *plan)
{
	MlPrivatePlan *private_plan = plan->private_plan;
	size_t		count = 0;
	int			next = 0;

	for (int i = 0; i < private_plan->n_feeds; i++)
	{
		MlFeed	   *feed = &private_plan->feeds[i];

		if (feed->kind == ML_FEED_ARRAY)
			count += feed->elements >= 0 ? feed->elements : (size_t) feed->likely_elements;
		else
			count++;
	}
	if (count > MAX_COLUMNS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("%zu columns and array elements are too many", count),
				 errdetail("At most %d can be used.", MAX_COLUMNS)));

	plan->columns = palloc0(Max(count, 1) * sizeof(MlColumnSpec));
	for (int i = 0; i < private_plan->n_feeds; i++)
	{
		MlFeed	   *feed = &private_plan->feeds[i];
		int			elements = feed->elements >= 0 ? feed->elements : (int) feed->likely_elements;

		feed->first_spec = next;
		if (feed->kind != ML_FEED_ARRAY)
		{
			plan->columns[next++] = feed->spec;
			continue;
		}
		for (int e = 1; e <= elements; e++)
		{
			MlColumnSpec *spec = &plan->columns[next++];

			*spec = feed->spec;
			spec->name = psprintf("%s[%d]", feed->spec.name, e);
			spec->element = e;
			spec->elements = elements;
			if (find_column(plan->source, spec->name) >= 0)
				ereport(ERROR,
						(errcode(ERRCODE_DUPLICATE_COLUMN),
						 errmsg("column \"%s\" cannot be told from element %d of column \"%s\"", spec->name, e, feed->spec.name),
						 errhint("Rename one of them in a query or a view.")));
		}
	}
	plan->n_columns = next;
}

/*
 * Whether the planner's row count can be trusted: of an analyzed relation that is
 * read as a whole it is close; before the first ANALYZE, and behind joins and
 * conditions, it may be wrong by any factor.
 */
static bool
rows_are_firm(const MlSource *source)
{
	Relation	relation;
	bool		firm;

	if (!OidIsValid(source->relid))
		return false;
	relation = relation_open(source->relid, NoLock);	/* locked by ml_source_open() */
	firm = relation->rd_rel->reltuples >= 0 &&
		(relation->rd_rel->relkind == RELKIND_RELATION ||
		 relation->rd_rel->relkind == RELKIND_MATVIEW ||
		 relation->rd_rel->relkind == RELKIND_PARTITIONED_TABLE) &&
		check_enable_rls(source->relid, InvalidOid, true) != RLS_ENABLED;
	relation_close(relation, NoLock);
	return firm;
}

MlScanPlan *
ml_scan_plan(MlSource *source, const MlScanRoles *roles)
{
	MlScanPlan *plan = palloc0(sizeof(MlScanPlan));
	MlPrivatePlan *private_plan = palloc0(sizeof(MlPrivatePlan));
	MlFeedBuilder builder = {plan, private_plan, roles};
	Query	   *query;

	check_roles(source, roles);
	plan->source = source;
	plan->private_plan = private_plan;
	private_plan->seed = roles->seed;
	builder.needed = palloc0(source->columns->natts * sizeof(bool));
	builder.capacity = source->columns->natts + 4;
	private_plan->feeds = palloc(builder.capacity * sizeof(MlFeed));

	for (int i = 0; i < source->columns->natts; i++)
		feed_column(&builder, i);
	require_features(plan, private_plan);
	settle_places(&builder);

	query = ml_source_query(source, builder.needed, false);
	private_plan->statement = ml_scan_choose(query, source->text);
	ml_scan_heap_mark(private_plan);
	/* Now rather than when it runs: whoever only asks what a run would need shall not learn more. */
	ML_CHECK_RIGHTS(private_plan->statement);
	plan->estimated_rows = private_plan->statement->planTree->plan_rows;
	plan->rows_firm = rows_are_firm(source);
	ml_scan_expand(plan);
	return plan;
}
