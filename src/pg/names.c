/*-------------------------------------------------------------------------
 * names.c
 *	  Names that are stored or compared: quoted where they have to be, whatever quote_all_identifiers says.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/regproc.h"

#include "pg/names.h"

/* Until the level is left; an error leaves it, too. */
static int
quote_as_needed(void)
{
	int			level;

	if (!quote_all_identifiers)
		return 0;
	level = NewGUCNestLevel();
	(void) set_config_option("quote_all_identifiers", "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	return level;
}

static char *
quote_as_before(int level, char *name)
{
	if (level > 0)
		AtEOXact_GUC(false, level);
	return name;
}

char *
ml_type_name(Oid type)
{
	int			level = quote_as_needed();

	return quote_as_before(level, format_type_be(type));
}

char *
ml_qualified_name(const char *schema, const char *name)
{
	int			level = quote_as_needed();

	return quote_as_before(level, quote_qualified_identifier(schema, name));
}

char *
ml_function_name(Oid function)
{
	int			level = quote_as_needed();

	return quote_as_before(level, format_procedure_qualified(function));
}
