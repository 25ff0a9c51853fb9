/*-------------------------------------------------------------------------
 * warm.c
 *	  Training that starts from an earlier network, or from its first layers.
 *
 * The features must be the same (in any order).  Numbers keep the centre and factor with which the
 * earlier network met them, for its weights know no others; categories are matched
 * by their text, and those that it has not met begin anew.
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "ml/algo/mlp/mlp_internal.h"
#include "ml/base/arena.h"
#include "ml/model/model.h"

static int32_t
find_feature(const MlSchema *schema, const char *name)
{
	for (int32_t f = 0; f < schema->n_features; f++)
		if (strcmp(schema->features[f].name, name) == 0)
			return f;
	return -1;
}

static MlStatus
check_features(MlEnv *env, const MlSchema *before, const MlSchema *now)
{
	for (int32_t f = 0; f < now->n_features; f++)
	{
		const MlFeature *feature = &now->features[f];
		int32_t		other = find_feature(before, feature->name);

		if (other < 0)
			return ml_fail(env, ML_BAD_PARAM, "warm_start: the earlier version does not have the feature \"%s\"", feature->name);
		if (before->features[other].kind != feature->kind)
			return ml_fail(env, ML_BAD_PARAM, "warm_start: the feature \"%s\" is a %s, in the earlier version it is a %s", feature->name,
						   feature->kind == ML_FEATURE_NUMBER ? "number" : "category", feature->kind == ML_FEATURE_NUMBER ? "category" : "number");
	}
	for (int32_t f = 0; f < before->n_features; f++)
		if (find_feature(now, before->features[f].name) < 0)
			return ml_fail(env, ML_BAD_PARAM, "warm_start: the feature \"%s\" of the earlier version is not there", before->features[f].name);
	return ML_OK;
}

static MlStatus
check_target(MlEnv *env, const MlSchema *before, const MlSchema *now)
{
	bool		same = before->task == now->task && before->n_classes == now->n_classes;

	if (before->task != now->task)
		ml_fail(env, ML_BAD_PARAM, "warm_start: the task is %s, that of the earlier version %s", ml_task_name(now->task), ml_task_name(before->task));
	else if (!same)
		ml_fail(env, ML_BAD_PARAM, "warm_start: the target has %d classes, that of the earlier version %d", now->n_classes, before->n_classes);
	for (int32_t c = 0; same && c < now->n_classes; c++)
	{
		same = strcmp(before->classes[c], now->classes[c]) == 0;
		if (!same)
			ml_fail(env, ML_BAD_PARAM, "warm_start: the target has the class \"%.100s\" where the earlier version has \"%.100s\"", now->classes[c], before->classes[c]);
	}
	return same ? ML_OK : ml_hint(env, "With transfer_layers, only the first layers come from the earlier version, and the target may differ.");
}

/* The layers that are to be transferred are as wide as they were. */
static MlStatus
check_layers(MlEnv *env, const MlMlpNet *before, const MlParams *params, int transferred)
{
	int			n_hidden;
	const int64_t *hidden = ml_param_list(params, ML_MLP_HIDDEN, &n_hidden);
	int			before_hidden = before->n_layers - 1;

	if (transferred > before_hidden && n_hidden != before_hidden)
	{
		ml_fail(env, ML_BAD_PARAM, "warm_start: there are %d hidden layers, the earlier version has %d", n_hidden, before_hidden);
		return ml_hint(env, "Set hidden_layer_sizes to those of the earlier version, or say with transfer_layers how many of its layers are to be taken.");
	}
	if (transferred <= before_hidden && n_hidden < transferred)
		return ml_fail(env, ML_BAD_PARAM, "transfer_layers is %d, but there are %d hidden layers", transferred, n_hidden);
	for (int l = 0; l < transferred && l < n_hidden; l++)
	{
		if (hidden[l] != before->layers[l].out)
			return ml_fail(env, ML_BAD_PARAM, "warm_start: hidden layer %d has %lld neurons, in the earlier version %d", l + 1, (long long) hidden[l], before->layers[l].out);
	}
	return ML_OK;
}

/* What holds for all layers. */
static MlStatus
check_kind(MlEnv *env, const MlMlpNet *before, const MlParams *params)
{
	static const char *const activations[] = {"relu", "tanh", "logistic", "gelu", "identity"};
	int64_t		given = ml_param_int(params, ML_MLP_ACTIVATION);
	MlMlpActivation activation = given > ML_MLP_IDENTITY ? ML_MLP_LOGISTIC : (MlMlpActivation) given;

	if (activation != before->activation && before->n_layers > 1)
		return ml_fail(env, ML_BAD_PARAM, "warm_start: activation is %s, in the earlier version %s", activations[activation], activations[before->activation]);
	if (ml_param_bool(params, ML_MLP_BATCH_NORM) != before->batch_norm)
		return ml_fail(env, ML_BAD_PARAM, "warm_start: the earlier version was trained with batch_norm %s", before->batch_norm ? "true" : "false");
	if (ml_param_bool(params, ML_MLP_STANDARDIZE) != before->standardized)
		return ml_fail(env, ML_BAD_PARAM, "warm_start: the earlier version was trained with standardize %s", before->standardized ? "true" : "false");
	return ML_OK;
}

MlStatus
ml_mlp_start_find(MlEnv *env, const MlDataset *data, const MlParams *params, MlMlpStart *start)
{
	const MlModel *earlier = data->initial;
	int64_t		transfer = ml_param_int(params, ML_MLP_TRANSFER_LAYERS);
	int64_t		freeze = ml_param_int(params, ML_MLP_FREEZE_LAYERS);

	if (earlier == NULL)
	{
		if (transfer > 0 || freeze > 0)
			return ml_fail(env, ML_BAD_PARAM, "%s needs warm_start", transfer > 0 ? "transfer_layers" : "freeze_layers");
		return ML_OK;
	}
	if (strcmp(earlier->method->name, "mlp") != 0)
		return ml_fail(env, ML_BAD_PARAM, "warm_start: the earlier version is of the algorithm \"%s\", not \"mlp\"", earlier->method->name);
	start->net = earlier->fitted;
	start->schema = earlier->encoded;
	if (transfer > start->net->n_layers - 1)
		return ml_fail(env, ML_BAD_PARAM, "transfer_layers is %lld, but the earlier version has %d hidden layers", (long long) transfer, start->net->n_layers - 1);
	start->transferred = transfer > 0 ? (int) transfer : start->net->n_layers;
	start->frozen = (int) freeze;
	if (start->frozen > start->transferred || start->frozen >= start->net->n_layers)
		return ml_fail(env, ML_BAD_PARAM, "freeze_layers is %lld, but %d layers come from the earlier version%s", (long long) freeze, start->transferred,
					   start->transferred == start->net->n_layers ? " and one must learn" : "");
	ML_TRY(check_features(env, start->schema, data->schema));
	ML_TRY(check_kind(env, start->net, params));
	ML_TRY(check_layers(env, start->net, params, start->transferred));
	return transfer > 0 ? ML_OK : check_target(env, start->schema, data->schema);
}

static const MlMlpCategory *
category_of(const MlMlpNet *net, int32_t feature)
{
	for (int32_t c = 0; c < net->n_categories; c++)
		if (net->categories[c].feature == feature)
			return &net->categories[c];
	return NULL;
}

/* The length of a category's embedding, as it was; what the parameters say must agree. */
static MlStatus
take_dim(MlEnv *env, const MlMlpCategory *before, const char *name, const MlParams *params, int32_t *dim)
{
	int64_t		given = ml_param_int(params, ML_MLP_EMBEDDING_DIM);

	if ((ml_param_int(params, ML_MLP_CATEGORIES) == 1) != (before->dim > 0))
		return ml_fail(env, ML_BAD_PARAM, "warm_start: the earlier version was trained with categories %s", before->dim > 0 ? "embedding" : "onehot");
	if (before->dim > 0 && (given > 0 ? before->dim != given : before->dim > ML_MLP_AUTO_DIM))
		return ml_fail(env, ML_BAD_PARAM, "warm_start: embedding_dim of \"%s\" is %d in the earlier version", name, before->dim);
	*dim = before->dim;
	return ML_OK;
}

MlStatus
ml_mlp_start_inputs(MlEnv *env, const MlMlpStart *start, const MlSchema *schema, const MlParams *params, MlMlpNet *net, int32_t *dims)
{
	const MlDesign *before = start->net->design;
	int			n = 0;

	for (int32_t f = 0; f < schema->n_features; f++)
	{
		int32_t		other = find_feature(start->schema, schema->features[f].name);
		MlDesignFeature *to = &net->design->features[f];

		if (to->number)
		{
			const MlDesignColumn *from = &before->columns[before->features[other].first];

			to->impute = before->features[other].impute;
			net->design->columns[to->first].mean = from->mean;
			net->design->columns[to->first].deviation = from->deviation;
		}
		else
			ML_TRY(take_dim(env, category_of(start->net, other), schema->features[f].name, params, &dims[n++]));
	}
	return ML_OK;
}

/* The code of a text; an encoded schema has no index of its texts. */
static int32_t
code_of(const MlFeature *feature, const char *text)
{
	if (feature->index != NULL)
		return ml_feature_code(feature, text, strlen(text));
	for (int32_t code = 0; code < feature->levels; code++)
		if (strcmp(feature->level[code], text) == 0)
			return code;
	return feature->levels;
}

/* The row of the earlier network that means what this row means; -1 for none. */
static int32_t
same_row(const MlMlpStart *start, const MlSchema *schema, const MlMlpNet *net, const MlMlpCategory *c, int32_t other, int32_t row)
{
	const MlDesignFeature *now = &net->design->features[c->feature];
	const MlDesignFeature *before = &start->net->design->features[other];
	int32_t		code = row + now->from;
	const char *text;

	if (now->missing >= 0 && row == now->missing - now->first)
		return before->missing < 0 ? -1 : before->missing - before->first;
	if (now->other >= 0 && row == now->other - now->first)
		return before->other < 0 ? -1 : before->other - before->first;
	text = schema->features[c->feature].level[code];
	return ml_mlp_category_row(start->net->design, other, code_of(&start->schema->features[other], text));
}

static void
copy_row(const MlMlpLayer *to_layer, float *to, size_t to_row, const MlMlpLayer *from_layer, const float *from, size_t from_row)
{
	memcpy(to + to_layer->weight + to_row * to_layer->width, from + from_layer->weight + from_row * from_layer->width, (size_t) to_layer->out * sizeof(float));
}

/* The first layer's matrix, row by row: features may stand in another order, categories be others. */
static void
take_first_layer(const MlMlpStart *start, const MlSchema *schema, MlMlpNet *net)
{
	const MlMlpNet *before = start->net;
	const MlMlpLayer *to = &net->layers[0];
	const MlMlpLayer *from = &before->layers[0];

	for (int32_t j = 0; j < net->n_numbers; j++)
	{
		int32_t		other = find_feature(start->schema, schema->features[net->numbers[j].feature].name);

		for (int32_t i = 0; i < before->n_numbers; i++)
			if (before->numbers[i].feature == other)
				copy_row(to, net->theta, (size_t) j, from, before->theta, (size_t) i);
	}
	for (int32_t k = 0; k < net->n_categories; k++)
	{
		const MlMlpCategory *c = &net->categories[k];
		int32_t		other = find_feature(start->schema, schema->features[c->feature].name);
		const MlMlpCategory *b = category_of(before, other);

		for (int32_t d = 0; d < c->dim; d++)
			copy_row(to, net->theta, (size_t) (c->column + d), from, before->theta, (size_t) (b->column + d));
		for (int32_t row = 0; row < c->rows; row++)
		{
			int32_t		same = same_row(start, schema, net, c, other, row);

			if (same < 0)
				continue;
			if (c->dim == 0)
				copy_row(to, net->theta, (size_t) (to->in + c->first + row), from, before->theta, (size_t) (from->in + b->first + same));
			else
				memcpy(net->theta + c->table + (size_t) row * (size_t) c->dim, before->theta + b->table + (size_t) same * (size_t) c->dim, (size_t) c->dim * sizeof(float));
		}
	}
}

static void
take_rest(const MlMlpNet *before, MlMlpNet *net, int l)
{
	const MlMlpLayer *to = &net->layers[l];
	const MlMlpLayer *from = &before->layers[l];

	memcpy(net->theta + to->shift, before->theta + from->shift, to->width * sizeof(float));
	if (to->gain == ML_MLP_NOWHERE)
		return;
	memcpy(net->theta + to->gain, before->theta + from->gain, to->width * sizeof(float));
	memcpy(net->statistics + to->statistics, before->statistics + from->statistics, 2 * to->width * sizeof(float));
}

MlStatus
ml_mlp_start_weights(MlEnv *env, const MlMlpStart *start, const MlSchema *schema, MlMlpNet *net)
{
	const MlMlpNet *before = start->net;

	if (start->transferred == before->n_layers && net->link != before->link)
	{
		ml_fail(env, ML_BAD_PARAM, "warm_start: the earlier version predicts by another function (poisson or not)");
		return ml_hint(env, "Set loss to that of the earlier version, or use transfer_layers.");
	}
	take_first_layer(start, schema, net);
	for (int l = 0; l < start->transferred; l++)
	{
		size_t		rows = (size_t) net->layers[l].in;

		if (l > 0)
			memcpy(net->theta + net->layers[l].weight, before->theta + before->layers[l].weight, rows * net->layers[l].width * sizeof(float));
		take_rest(before, net, l);
	}
	return ML_OK;
}
