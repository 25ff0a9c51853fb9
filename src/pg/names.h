/*-------------------------------------------------------------------------
 * names.h
 *	  Names that are stored or compared: quoted where they have to be, whatever quote_all_identifiers says.
 *
 * An image, a record or a default that held names as the session's setting writes them would be another one in
 * another session.
 *-------------------------------------------------------------------------
 */
#ifndef ML_PG_NAMES_H
#define ML_PG_NAMES_H

#include "postgres.h"

/* As format_type_be(), quote_qualified_identifier() and format_procedure_qualified(). */
extern char *ml_type_name(Oid type);
extern char *ml_qualified_name(const char *schema, const char *name);
extern char *ml_function_name(Oid function);

#endif							/* ML_PG_NAMES_H */
