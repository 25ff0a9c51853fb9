/*-------------------------------------------------------------------------
 * planned_map.c
 *	  Row maps of calls with columns, kept with the model.
 *
 * A prepared statement that predicts one row spends more time on finding columns by name than on the
 * prediction, and it does so at each execution, for what a function keeps between calls ends with the statement.  The map
 * depends on nothing but the version, the names and the types of the arguments, so it stays with the model.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "service/planned_map.h"

/* So many for one model; then none are added.  Few statements differ in names or types. */
#define MAX_MAPS 16

typedef struct KeptMap
{
	struct KeptMap *next;
	MlServed	served;			/* as it is named in messages; its pin is not counted */
	MlRowMap   *map;
	ArrayType  *names;			/* NULL: those that the version reads */
	int			count;
	Oid			types[FLEXIBLE_ARRAY_MEMBER];
} KeptMap;

static bool
same_names(const ArrayType *a, const ArrayType *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return VARSIZE(a) == VARSIZE(b) && memcmp(a, b, VARSIZE(a)) == 0;
}

static bool
same_arguments(const KeptMap *kept, const MlServed *served, FunctionCallInfo fcinfo, int first, const ArrayType *names)
{
	if (kept->count != PG_NARGS() - first || !same_names(kept->names, names) || strcmp(kept->served.name, served->name) != 0)
		return false;
	for (int i = 0; i < kept->count; i++)
	{
		if (kept->types[i] != get_fn_expr_argtype(fcinfo->flinfo, first + i))
			return false;
	}
	return true;
}

/* Below the caller's context until it is complete, then the model's. */
static KeptMap *
make_map(const MlServed *served, FunctionCallInfo fcinfo, int first, ArrayType *names, MlDescribeArguments describe)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "mlplat planned map", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	int			count = PG_NARGS() - first;
	KeptMap    *kept = palloc0(offsetof(KeptMap, types) + sizeof(Oid) * count);

	kept->served = *served;
	if (names != NULL)
		kept->names = memcpy(palloc(VARSIZE(names)), names, VARSIZE(names));
	kept->count = count;
	for (int i = 0; i < count; i++)
		kept->types[i] = get_fn_expr_argtype(fcinfo->flinfo, first + i);
	kept->map = ml_rowmap_create(&kept->served, describe(fcinfo, first, names));
	MemoryContextSwitchTo(old);
	ml_serve_attach(served, context);
	return kept;
}

MlRowMap *
ml_planned_map(const MlServed *served, FunctionCallInfo fcinfo, int first, ArrayType *names, MlDescribeArguments describe)
{
	KeptMap   **maps = (KeptMap **) ml_serve_attachment(served);
	KeptMap    *kept;
	int			count = 0;

	for (kept = *maps; kept != NULL; kept = kept->next)
	{
		if (same_arguments(kept, served, fcinfo, first, names))
			return kept->map;
		count++;
	}
	if (count >= MAX_MAPS)
		return ml_rowmap_create(served, describe(fcinfo, first, names));
	kept = make_map(served, fcinfo, first, names, describe);
	kept->next = *maps;
	*maps = kept;
	return kept->map;
}
