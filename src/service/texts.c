/*-------------------------------------------------------------------------
 * texts.c
 *	  Names, labels and categories of a loaded model against the encoding of this
 *	  database.
 *
 * An image is bytes to pg_dump: its texts stay as they were, whatever the database it
 * is restored into.  What is not plain ASCII would then be a wrong label and a category that no
 * row matches, without a word.  And no text that is invalid here may reach a query.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/string.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"

#include "service/serving.h"

typedef struct Texts
{
	const char *model;			/* for messages */
	bool		foreign;		/* of another encoding: only ASCII is the same in both */
} Texts;

static void
check_text(const Texts *texts, const char *text)
{
	int			length = (int) strlen(text);

	if (texts->foreign && !pg_is_ascii(text))
		ereport(ERROR,
				(errcode(ERRCODE_UNTRANSLATABLE_CHARACTER),
				 errmsg("model \"%s\" comes from a database with another encoding than %s", texts->model, GetDatabaseEncodingName()),
				 errdetail("Not all of its names, labels and categories are plain ASCII."),
				 errhint("Train the model again in this database.")));
	if (!pg_verify_mbstr(GetDatabaseEncoding(), text, length, true))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("model \"%s\" cannot be loaded: the model image is damaged: a text in it is not valid in encoding %s",
						texts->model, GetDatabaseEncodingName()),
				 errhint("Train the model again, or restore mlplat's tables from a backup.")));
}

static void
check_all(const Texts *texts, const char *const *text, int32 count)
{
	for (int32 i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		check_text(texts, text[i]);
	}
}

static void
check_features(const Texts *texts, const MlSchema *schema)
{
	for (int f = 0; f < schema->n_features; f++)
	{
		const MlFeature *feature = &schema->features[f];

		check_text(texts, feature->name);
		check_text(texts, feature->source_column);
		check_text(texts, feature->type_name);
		check_all(texts, feature->level, feature->levels);
		if (feature->text != NULL && feature->element == 1)
			check_text(texts, feature->text->tokens.config);
	}
}

void
ml_check_model_texts(const MlModel *model, const char *name, int encoding)
{
	const MlSchema *schema = model->schema;
	int			own = GetDatabaseEncoding();
	Texts		texts = {name, false};

	/* SQL_ASCII says nothing about bytes, so there is nothing to compare with. */
	texts.foreign = encoding != own && encoding != PG_SQL_ASCII && own != PG_SQL_ASCII;
	if (schema->target != NULL)
	{
		check_text(&texts, schema->target);
		check_text(&texts, schema->target_type);
	}
	check_all(&texts, schema->classes, schema->n_classes);
	check_features(&texts, schema);
	if (model->prep != NULL)
		check_features(&texts, model->encoded);
}
