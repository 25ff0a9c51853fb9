/*-------------------------------------------------------------------------
 * mlp.c
 *	  Feed-forward neural networks: the entry in the list of algorithms.
 *
 * input.c     columns of the data to inputs      fit.c        the loop over epochs
 * network.c   where weights stand and begin      step.c       optimisers and their rates
 * pass.c      a mini-batch there and back        loss.c       losses and their slopes
 * forward.c   ... there                          serve.c      a row through the network
 * backward.c  ... and back                       image.c      to bytes and back
 * multiply.c  products of matrices               kernels.c    activations, steps
 * warm.c      from an earlier network            explain.c    what features add to a score
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "ml/algo/mlp/mlp_internal.h"

static const MlParam mlp_params[] = {
	[ML_MLP_HIDDEN] = {"hidden_layer_sizes", ML_PARAM_LIST, 0, 1, ML_MLP_MAX_WIDTH, .default_choice = "100",
		.aliases = "hidden|hidden_layers|layers|hidden_units",
	.description = "Neurons of each hidden layer, as [64, 64]; [] for none."},
	[ML_MLP_ACTIVATION] = {"activation", ML_PARAM_CHOICE, .default_choice = "relu", .choices = "relu|tanh|logistic|gelu|identity|sigmoid",
	.description = "What a hidden neuron makes of its sum; sigmoid is logistic."},
	[ML_MLP_LOSS] = {"loss", ML_PARAM_CHOICE, .default_choice = "auto", .choices = "auto|squared_error|huber|absolute_error|poisson|cross_entropy",
		.aliases = "objective",
	.description = "What is minimised: auto is squared_error for regression and cross_entropy for classification."},
	[ML_MLP_HUBER_DELTA] = {"huber_delta", ML_PARAM_DOUBLE, 1, 0, INFINITY, .open_minimum = true, .aliases = "delta",
	.description = "Errors above count linearly for the loss huber; in standard deviations of the target when it is standardised."},
	[ML_MLP_LABEL_SMOOTHING] = {"label_smoothing", ML_PARAM_DOUBLE, 0, 0, 1, .open_maximum = true,
	.description = "Share of the probability that is spread evenly over all classes."},
	[ML_MLP_FOCAL_GAMMA] = {"focal_gamma", ML_PARAM_DOUBLE, 0, 0, 20,
	.description = "Focal loss: the loss of a row is multiplied by (1 - p)^gamma, p being the probability of its class; 0 for plain cross entropy."},
	[ML_MLP_OPTIMISER] = {"optimizer", ML_PARAM_CHOICE, .default_choice = "adam", .choices = "adam|adamw|sgd", .aliases = "solver|optimiser",
	.description = "How weights follow the gradient."},
	[ML_MLP_LEARNING_RATE] = {"learning_rate", ML_PARAM_DOUBLE, 0.001, 0, 100, .open_minimum = true, .aliases = "learning_rate_init|lr|eta",
	.description = "Size of a step; where a schedule changes it, its highest value."},
	[ML_MLP_SCHEDULE] = {"schedule", ML_PARAM_CHOICE, .default_choice = "constant", .choices = "constant|step|exponential|cosine|one_cycle|adaptive",
		.aliases = "lr_schedule|learning_rate_schedule",
	.description = "How the learning rate changes: step and exponential multiply it with schedule_gamma, cosine lets it fall to 0, one_cycle rises and falls, adaptive divides it by 5 when nothing improves."},
	[ML_MLP_SCHEDULE_STEP] = {"schedule_step", ML_PARAM_INT, 30, 1, 1000000, .aliases = "step_size",
	.description = "Epochs between two reductions for the schedule step."},
	[ML_MLP_SCHEDULE_GAMMA] = {"schedule_gamma", ML_PARAM_DOUBLE, 0.95, 0, 1, .open_minimum = true,
	.description = "Factor of the schedules step and exponential."},
	[ML_MLP_WARMUP] = {"warmup", ML_PARAM_DOUBLE, 0, 0, 1, .open_maximum = true,
	.description = "Share of all steps in which the learning rate rises; 0.3 for one_cycle unless given."},
	[ML_MLP_MOMENTUM] = {"momentum", ML_PARAM_DOUBLE, 0.9, 0, 1, .open_maximum = true,
	.description = "Share of the last step that sgd repeats."},
	[ML_MLP_NESTEROV] = {"nesterov", ML_PARAM_BOOL, 1, .aliases = "nesterovs_momentum",
	.description = "Nesterov's form of momentum."},
	[ML_MLP_BETA1] = {"beta_1", ML_PARAM_DOUBLE, 0.9, 0, 1, .open_maximum = true, .aliases = "beta1",
	.description = "Decay of adam's mean of gradients."},
	[ML_MLP_BETA2] = {"beta_2", ML_PARAM_DOUBLE, 0.999, 0, 1, .open_maximum = true, .aliases = "beta2",
	.description = "Decay of adam's mean of squares."},
	[ML_MLP_EPSILON] = {"epsilon", ML_PARAM_DOUBLE, 1e-8, 1e-30, 1, .aliases = "eps",
	.description = "Added to the root that adam divides by."},
	[ML_MLP_ALPHA] = {"alpha", ML_PARAM_DOUBLE, 0.0001, 0, 1e6, .aliases = "l2|l2_penalty|reg_lambda",
	.description = "L2 penalty on the weights, divided by the rows of a mini-batch as in scikit-learn; 0 for adamw unless given."},
	[ML_MLP_WEIGHT_DECAY] = {"weight_decay", ML_PARAM_DOUBLE, 0, 0, 100,
	.description = "Share of a weight, times the learning rate, that each step takes off it, apart from the gradient; 0.01 for adamw unless given."},
	[ML_MLP_DROPOUT] = {"dropout", ML_PARAM_DOUBLE, 0, 0, 1, .open_maximum = true,
	.description = "Share of hidden values that a training step leaves out at random."},
	[ML_MLP_BATCH_NORM] = {"batch_norm", ML_PARAM_BOOL, 0, .aliases = "batch_normalization",
	.description = "Normalise the sums of hidden neurons over the mini-batch."},
	[ML_MLP_MAX_GRAD_NORM] = {"max_grad_norm", ML_PARAM_DOUBLE, 0, 0, INFINITY, .aliases = "clip_norm|gradient_clip_norm",
	.description = "Longer gradients are shortened to this length; 0 for no limit."},
	[ML_MLP_BATCH_SIZE] = {"batch_size", ML_PARAM_INT, 0, 0, 1048576,
	.description = "Rows of a mini-batch; 0 for 200."},
	[ML_MLP_MAX_EPOCHS] = {"max_epochs", ML_PARAM_INT, 200, 1, 1000000, .aliases = "max_iter|epochs|n_epochs|num_epochs",
	.description = "Most times that training goes through all rows."},
	[ML_MLP_TOL] = {"tol", ML_PARAM_DOUBLE, 0.0001, 0, INFINITY,
	.description = "An epoch that brings the loss less far down is no improvement."},
	[ML_MLP_PATIENCE] = {"n_iter_no_change", ML_PARAM_INT, 10, 1, 1000000, .aliases = "patience|early_stopping_rounds",
	.description = "Training ends after more epochs than this without improvement."},
	[ML_MLP_EARLY_STOPPING] = {"early_stopping", ML_PARAM_BOOL, 0,
	.description = "Judge improvement on rows set apart, and keep the best epoch; true by default where the run has a validation part."},
	[ML_MLP_VALIDATION_FRACTION] = {"validation_fraction", ML_PARAM_DOUBLE, 0.1, 0, 1, .open_minimum = true, .open_maximum = true,
	.description = "Share of the training rows that early_stopping sets apart where the run has no validation part."},
	[ML_MLP_SHUFFLE] = {"shuffle", ML_PARAM_BOOL, 1,
	.description = "Put the rows into another order for each epoch."},
	[ML_MLP_STANDARDIZE] = {"standardize", ML_PARAM_BOOL, 1,
	.description = "Subtract the mean of each number and divide by its standard deviation."},
	[ML_MLP_STANDARDIZE_TARGET] = {"standardize_target", ML_PARAM_BOOL, 1,
	.description = "The same for the target of a regression; not for the loss poisson."},
	[ML_MLP_CATEGORIES] = {"categories", ML_PARAM_CHOICE, .default_choice = "onehot", .choices = "onehot|embedding",
	.description = "How categories enter: a 0/1 input each, or a few numbers each that are learnt."},
	[ML_MLP_EMBEDDING_DIM] = {"embedding_dim", ML_PARAM_INT, 0, 0, 1024,
	.description = "Numbers of an embedding; 0 for half as many as there are categories, 50 at most."},
	[ML_MLP_MAX_CATEGORIES] = {"max_categories", ML_PARAM_INT, ML_DESIGN_MAX_CATEGORIES, 1, ML_DESIGN_MAX_COLUMNS,
	.description = "Categories of a column that are told apart; the rarest beyond are taken as one."},
	[ML_MLP_WARM_START] = {"warm_start", ML_PARAM_MODEL, .aliases = "init_model",
	.description = "An earlier version (name@version) of the same features and layers, whose weights training starts from; it takes the right to read it."},
	[ML_MLP_TRANSFER_LAYERS] = {"transfer_layers", ML_PARAM_INT, 0, 0, ML_PARAM_LIST_MAX,
	.description = "Only so many first layers come from warm_start, the others begin anew, so that layers behind them and the target may differ; 0 for all, with the output layer."},
	[ML_MLP_FREEZE_LAYERS] = {"freeze_layers", ML_PARAM_INT, 0, 0, ML_PARAM_LIST_MAX,
	.description = "So many first layers (and embeddings) of warm_start stay as they are."},
	{NULL}
};

/* Which feature's columns have long weights in the first matrix: by feature, the root of their sum of squares. */
static MlStatus
mlp_importance(MlEnv *env, const void *model, const MlSchema *schema, const char *how, double *out)
{
	const MlMlpNet *net = model;
	const MlMlpLayer *layer = &net->layers[0];

	if (strcmp(how, "gain") != 0 && strcmp(how, "weight") != 0)
	{
		ml_fail(env, ML_BAD_PARAM, "unknown kind of importance \"%s\"", how);
		return ml_hint(env, "An mlp has \"weight\": the length of the weights with which a feature enters.");
	}
	for (int f = 0; f < schema->n_features; f++)
		out[f] = 0;
	for (int32_t i = 0; i < layer->in + layer->added; i++)
	{
		const float *row = net->theta + layer->weight + (size_t) i * layer->width;
		int32_t		feature = i < net->n_numbers ? net->numbers[i].feature : -1;

		for (int32_t c = 0; feature < 0 && c < net->n_categories; c++)
		{
			const MlMlpCategory *category = &net->categories[c];
			int32_t		first = category->dim > 0 ? category->column : layer->in + category->first;

			if (i >= first && i < first + (category->dim > 0 ? category->dim : category->rows))
				feature = category->feature;
		}
		for (int32_t j = 0; feature >= 0 && j < layer->out; j++)
			out[feature] += (double) row[j] * row[j];
	}
	for (int f = 0; f < schema->n_features; f++)
		out[f] = sqrt(out[f]);
	return ML_OK;
}

const MlMethod ml_method_mlp = {
	.name = "mlp",
	.summary = "feed-forward neural networks (multi-layer perceptrons)",
	.description =
	"Layers of weighted sums and activations, trained by back-propagation (Rumelhart, Hinton & Williams 1986) on mini-batches in float32; first weights as Glorot & Bengio 2010. "
	"Adam (Kingma & Ba 2015), AdamW (Loshchilov & Hutter 2019) or SGD with momentum; dropout (Srivastava et al. 2014), batch norm (Ioffe & Szegedy 2015), one-cycle schedule (Smith & Topin 2018), focal loss (Lin et al. 2017). Defaults are scikit-learn's, except that numbers and regression targets are standardised. "
	"Time per epoch is rows x weights x 6; memory 4 bytes for each row and feature, and some copies of the weights. "
	"Missing numbers count as the training mean. Categories enter as 0/1 inputs or as learnt embeddings; missing and rare ones have an input of their own if training had them. "
	"Early stopping judges by the loss of the validation part (ml_train's \"validation\"), or of rows set apart, and keeps the best epoch. "
	"The model is the same to the bit for any number of threads and on every processor. Importance of a feature: the length of the weights with which it enters the first layer. Contribution of a feature to a score: integrated gradients (Sundararajan, Taly & Yan 2017) from the average training row.",
	.tasks = ML_TASK_REGRESSION | ML_TASK_CLASSIFICATION,
	.reads_sparse = true,
	.format = 1,
	.params = mlp_params,
	.memory = ml_mlp_memory,
	.fit = ml_mlp_fit,
	.save = ml_mlp_save,
	.load = ml_mlp_load,
	.predict = ml_mlp_predict,
	.scratch_size = ml_mlp_scratch_size,
	.predict_batch = ml_mlp_predict_batch,
	.predict_cost = ml_mlp_predict_cost,
	.importance = mlp_importance,
	.explainer = ml_mlp_explainer,
	.explain = ml_mlp_explain,
};
