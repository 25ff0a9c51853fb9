/*-------------------------------------------------------------------------
 * fuzz_train.c
 *	  Any bytes as a table: trained, judged and predicted by every algorithm.
 *
 * The first bytes choose algorithm, shape, roles and split; each further byte is a
 * value, taken from a list of odd ones.  A run ends in a model that
 * predicts finite numbers, or in an error that is the data's fault.
 *-------------------------------------------------------------------------
 */
#include "../unit/image.h"

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_COLUMNS 5

typedef struct Shape
{
	const MlMethod *method;
	MlColumnSpec specs[MAX_COLUMNS];
	int			n_columns;
	MlTrainSpec train;
} Shape;

static double
odd_number(uint8_t byte)
{
	static const double odd[] = {NAN, 1e308, -1e308, 5e-324, 0x1p53, -0.0, 1e-160, 1e160};

	return byte < 16 && byte % 2 == 0 ? odd[byte / 2] : (double) (byte % 16) - 5;
}

static void
choose(const uint8_t *head, const MlMethod *method, Shape *shape)
{
	static const char *const names[MAX_COLUMNS] = {"y", "a", "b", "c", "d"};
	static const int last_roles[] = {ML_ROLE_FEATURE, ML_ROLE_WEIGHT, ML_ROLE_ID, ML_ROLE_SPLIT};

	memset(shape, 0, sizeof(*shape));
	shape->method = method;
	shape->n_columns = 2 + head[1] % (MAX_COLUMNS - 1);
	for (int c = 0; c < shape->n_columns; c++)
	{
		MlColumnSpec *s = &shape->specs[c];

		s->name = s->source_column = names[c];
		s->type_name = "t";
		s->roles = c == 0 ? ML_ROLE_TARGET : ML_ROLE_FEATURE;
		s->kind = (head[2] >> c & 1) != 0 ? ML_CATEGORY : ML_NUMBER;
		s->logical = s->kind == ML_CATEGORY ? ML_LOGICAL_TEXT : (head[3] >> c & 1) != 0 ? ML_LOGICAL_INTEGER : ML_LOGICAL_FLOAT;
	}
	if (shape->n_columns == MAX_COLUMNS)
		shape->specs[MAX_COLUMNS - 1].roles = last_roles[head[4] % 4];
	shape->train.method = method;
	shape->train.split.kind = (MlSplitKind) (head[5] % (ML_SPLIT_NONE + 1));
	shape->train.split.holdout = head[6] % 8 / 10.0;
	shape->train.split.validation = head[6] / 8 % 4 / 10.0;
	shape->train.balanced = (head[7] & 1) != 0;
	shape->train.task = (MlTask) (head[7] / 2 % 3);
	if (!ml_task_has_target(method->tasks))
		shape->specs[0].roles = (head[7] & 8) != 0 ? ML_ROLE_TARGET : ML_ROLE_FEATURE;
}

static MlStatus
read_cells(MlEnv *env, const Shape *shape, const uint8_t *data, size_t size, MlFrame **frame)
{
	static const char *const texts[] = {"", "a", "train", "test", "validation", "\xFF", "zz"};
	size_t		columns = (size_t) shape->n_columns;
	MlFrameBuilder *b;

	ML_TRY(ml_frame_begin(env, shape->specs, shape->n_columns, 1, &b));
	for (size_t i = 0; i + columns <= size; i += columns)
	{
		for (size_t c = 0; c < columns; c++)
		{
			uint8_t		byte = data[i + c];

			if (shape->specs[c].kind == ML_NUMBER)
				ml_frame_number(b, (int) c, odd_number(byte));
			else if (byte % 8 < 7)
				ML_TRY(ml_frame_text(b, (int) c, texts[byte % 8], strlen(texts[byte % 8])));
		}
		ML_TRY(ml_frame_end_row(b));
	}
	return ml_frame_finish(b, frame);
}

static void
check_status(MlStatus status, const MlEnv *env)
{
	switch (status)
	{
		case ML_OK:
		case ML_BAD_PARAM:
		case ML_BAD_DATA:
		case ML_OUT_OF_RANGE:
		case ML_NULL_VALUE:
		case ML_BAD_TYPE:
		case ML_UNSUPPORTED:
			return;
		default:
			fprintf(stderr, "status %d: %s\n", status, env->error.message);
			abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	MlEnv		env = {.arena = ml_arena_create((size_t) 256 << 20), .threads = 1, .seed = 1, .dense = ml_dense_table()};
	const MlMethod *method;
	int			n_methods = 0;
	MlParams   *params;
	MlFrame    *frame;
	MlTrainResult *result;
	Shape		shape;
	MlStatus	status;

	if (size < 8 || size > 1000)
	{
		ml_arena_free(env.arena);
		return -1;
	}
	while (ml_methods[n_methods] != NULL)
		n_methods++;
	method = ml_methods[data[0] % n_methods];
	choose(data, method, &shape);
	if (tiny_params(&env, method, &params) != ML_OK)
		abort();
	shape.train.params = params;
	status = read_cells(&env, &shape, data + 8, size - 8, &frame);
	if (status == ML_OK)
		status = ml_pipeline_run(&env, &shape.train, frame, &result);
	check_status(status, &env);
	if (status == ML_OK)
		image_predict(&env, result->model);
	ml_arena_free(env.arena);
	return 0;
}
