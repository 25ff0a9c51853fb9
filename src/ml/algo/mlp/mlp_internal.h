/*-------------------------------------------------------------------------
 * mlp_internal.h
 *	  A feed-forward network: what is kept, and what the files of this folder share.
 *
 * All weights stand in one array, "theta": of each layer its matrix (inputs x outputs, rows padded),
 * its shift (bias; with batch norm what the normalised value is moved by) and with
 * batch norm its gain; after the layers the tables of embeddings.  The optimiser sees that
 * array only.
 *
 * A row enters as numbers, standardised, then the embeddings of its categories,
 * and categories without embedding as rows of the first matrix that are added (what multiplying a
 * 0/1 column by the matrix would give).
 *-------------------------------------------------------------------------
 */
#ifndef ML_ALGO_MLP_INTERNAL_H
#define ML_ALGO_MLP_INTERNAL_H

#include "ml/algo/design.h"
#include "ml/algo/mlp/kernels.h"
#include "ml/model/method.h"

/* Bounds what an image may ask for. */
#define ML_MLP_MAX_WIDTH 65536
#define ML_MLP_MAX_WEIGHTS ((size_t) 1 << 28)

/* Values beyond this are taken as this: products of them stay numbers. */
#define ML_MLP_LARGEST 1e12

enum
{
	ML_MLP_HIDDEN,
	ML_MLP_ACTIVATION,
	ML_MLP_LOSS,
	ML_MLP_HUBER_DELTA,
	ML_MLP_LABEL_SMOOTHING,
	ML_MLP_FOCAL_GAMMA,
	ML_MLP_OPTIMISER,
	ML_MLP_LEARNING_RATE,
	ML_MLP_SCHEDULE,
	ML_MLP_SCHEDULE_STEP,
	ML_MLP_SCHEDULE_GAMMA,
	ML_MLP_WARMUP,
	ML_MLP_MOMENTUM,
	ML_MLP_NESTEROV,
	ML_MLP_BETA1,
	ML_MLP_BETA2,
	ML_MLP_EPSILON,
	ML_MLP_ALPHA,
	ML_MLP_WEIGHT_DECAY,
	ML_MLP_DROPOUT,
	ML_MLP_BATCH_NORM,
	ML_MLP_MAX_GRAD_NORM,
	ML_MLP_BATCH_SIZE,
	ML_MLP_MAX_EPOCHS,
	ML_MLP_TOL,
	ML_MLP_PATIENCE,
	ML_MLP_EARLY_STOPPING,
	ML_MLP_VALIDATION_FRACTION,
	ML_MLP_SHUFFLE,
	ML_MLP_STANDARDIZE,
	ML_MLP_STANDARDIZE_TARGET,
	ML_MLP_CATEGORIES,
	ML_MLP_EMBEDDING_DIM,
	ML_MLP_MAX_CATEGORIES,
	ML_MLP_WARM_START,
	ML_MLP_TRANSFER_LAYERS,
	ML_MLP_FREEZE_LAYERS
};

typedef enum MlMlpLoss
{
	ML_MLP_SQUARED,
	ML_MLP_HUBER,
	ML_MLP_ABSOLUTE,
	ML_MLP_POISSON,
	ML_MLP_CROSS_ENTROPY
} MlMlpLoss;

typedef enum MlMlpOptimiser
{
	ML_MLP_ADAM,
	ML_MLP_ADAMW,
	ML_MLP_SGD
} MlMlpOptimiser;

typedef enum MlMlpSchedule
{
	ML_MLP_CONSTANT,
	ML_MLP_STEP,
	ML_MLP_EXPONENTIAL,
	ML_MLP_COSINE,
	ML_MLP_ONE_CYCLE,
	ML_MLP_ADAPTIVE
} MlMlpSchedule;

/* How the last layer's values become the answer. */
typedef enum MlMlpLink
{
	ML_MLP_LINK_IDENTITY,		/* times y_scale plus y_mean */
	ML_MLP_LINK_EXP,
	ML_MLP_LINK_LOGISTIC,		/* one output, two classes */
	ML_MLP_LINK_SOFTMAX
} MlMlpLink;

#define ML_MLP_NOWHERE SIZE_MAX

/* Added to a variance before its root is divided by. */
#define ML_MLP_NORM_EPSILON 1e-5

/* Where the parts of a layer stand in theta. */
typedef struct MlMlpLayer
{
	int32_t		in;				/* rows of the matrix that are multiplied */
	int32_t		added;			/* rows behind them that are added: categories; first layer only */
	int32_t		out;
	size_t		width;			/* out, padded: distance of two rows of the matrix */
	size_t		weight;
	size_t		shift;
	size_t		gain;			/* ML_MLP_NOWHERE without batch norm */
	size_t		statistics;		/* in "statistics": width running means, then width variances */
} MlMlpLayer;

/* A category feature, as the network takes it. */
typedef struct MlMlpCategory
{
	int32_t		feature;
	int32_t		rows;			/* of its own in the table or matrix */
	int32_t		dim;			/* of its embedding; 0: rows of the first matrix */
	int32_t		column;			/* of the dense input, with an embedding */
	int32_t		first;			/* its first added row, without */
	size_t		table;			/* in theta, with an embedding: rows x dim */
} MlMlpCategory;

/* What a number becomes: (x - center) * factor. */
typedef struct MlMlpNumber
{
	int32_t		feature;
	double		impute;
	double		center;
	double		factor;			/* 0 for a constant */
} MlMlpNumber;

typedef struct MlMlpNet
{
	MlDesign   *design;
	int32_t		n_numbers;
	int32_t		n_categories;
	MlMlpNumber *numbers;
	MlMlpCategory *categories;
	size_t		inputs;			/* dense: numbers and embeddings */
	size_t		input_width;	/* padded */
	bool		standardized;
	bool		batch_norm;
	MlMlpActivation activation;
	MlMlpLink	link;
	double		y_mean;
	double		y_scale;
	int32_t		n_layers;		/* the last one is the output */
	MlMlpLayer *layers;
	size_t		n_theta;
	size_t		tables;			/* in theta: where embeddings begin */
	float	   *theta;
	size_t		n_statistics;
	float	   *statistics;		/* of batch norm */
	size_t		widest;			/* padded width of the widest layer or the input */
	float	   *serving;		/* theta as predict uses it: batch norm multiplied in */
} MlMlpNet;

/* input.c */
typedef struct MlMlpStart MlMlpStart;

extern MlStatus ml_mlp_input_fit(MlEnv *env, const MlDataset *data, const MlParams *params, const MlMlpStart *start, MlMlpNet *net);
extern MlStatus ml_mlp_input_arrange(MlEnv *env, MlMlpNet *net, const int32_t *dims);	/* from design; dims: of each category */
extern int32_t ml_mlp_auto_dim(int32_t rows);

/* The most that it says. */
#define ML_MLP_AUTO_DIM 50

/* The row of a category in its table, -1 for none. */
static inline int32_t
ml_mlp_category_row(const MlDesign *design, int32_t feature, double x)
{
	const MlDesignFeature *f = &design->features[feature];
	int32_t		code;

	if (x != x)
		return f->missing < 0 ? -1 : f->missing - f->first;
	code = (int32_t) x;
	if (code >= f->kept)
		return f->other < 0 ? -1 : f->other - f->first;
	return code < f->from ? -1 : code - f->from;
}

static inline float
ml_mlp_number(const MlMlpNumber *number, double x)
{
	double		v;

	if (x != x)
		x = number->impute;
	v = (x - number->center) * number->factor;
	v = v < -ML_MLP_LARGEST ? -ML_MLP_LARGEST : v;
	v = v > ML_MLP_LARGEST ? ML_MLP_LARGEST : v;
	return v != v ? 0 : (float) v;	/* 0 times infinity */
}

/* Weights near the end of float may drive a value out of range; keep it a number. */
static inline double
ml_mlp_bounded(double z, double limit)
{
	if (z != z)
		return 0;
	return z > limit ? limit : z < -limit ? -limit : z;
}

/* network.c */
extern MlStatus ml_mlp_layout(MlEnv *env, MlMlpNet *net, int n_hidden, const int64_t *hidden, int32_t outputs);
extern void ml_mlp_initialise(const MlMlpNet *net, int first_layer, uint64_t seed);
extern MlStatus ml_mlp_prepare(MlEnv *env, MlMlpNet *net);
extern bool ml_mlp_layer_normalised(const MlMlpNet *net, int layer);

/* Begin and end of a layer (matrix, shift, gain) in theta. */
extern size_t ml_mlp_layer_end(const MlMlpNet *net, int layer);

/* warm.c: takes over what an earlier version has learnt. */
struct MlMlpStart
{
	const MlMlpNet *net;		/* the earlier network; NULL: none */
	const MlSchema *schema;		/* what it was trained on */
	int			transferred;	/* layers that come from it */
	int			frozen;			/* of these, the first ones that stay as they are */
};

/* Which network, and how much of it; an error names what does not fit together. */
extern MlStatus ml_mlp_start_find(MlEnv *env, const MlDataset *data, const MlParams *params, MlMlpStart *start);

/* Once the columns are known: numbers enter as they did; the length of each embedding. */
extern MlStatus ml_mlp_start_inputs(MlEnv *env, const MlMlpStart *start, const MlSchema *schema, const MlParams *params, MlMlpNet *net, int32_t *dims);

/* Once the network is laid out and has its first weights: those that are transferred take their place. */
extern MlStatus ml_mlp_start_weights(MlEnv *env, const MlMlpStart *start, const MlSchema *schema, MlMlpNet *net);

/* loss.c */
typedef struct MlMlpTarget
{
	MlMlpLoss	loss;
	MlMlpLink	link;
	int32_t		outputs;
	double		delta;			/* of huber, in units of the standardised target */
	double		smoothing;
	double		focal;
	const float *y;				/* by row of the input; NULL for classes */
	const int32_t *class_of;
	const float *weight;		/* NULL: all 1 */
} MlMlpTarget;

/* The loss of one row, z (outputs) being the last layer's values; gradient (outputs) may be NULL. Weights are not looked at. */
extern double ml_mlp_loss(const MlMlpTarget *target, size_t row, const float *z, float *gradient);

/* pass.c: a mini-batch through the network and back. */
typedef struct MlMlpPass MlMlpPass;

typedef struct MlMlpRows
{
	const float *numbers;		/* n x number_width */
	size_t		number_width;
	const int32_t *codes;		/* n x n_categories: rows of tables, -1 none */
} MlMlpRows;

extern MlStatus ml_mlp_pass_create(MlEnv *env, const MlMlpNet *net, const MlMlpRows *rows, const MlMlpTarget *target,
								   double dropout, size_t batch, int first_trained, MlMlpPass **pass);
extern size_t ml_mlp_pass_memory(const MlMlpNet *net, size_t batch, double dropout);

/* Gradient of the mean loss of these rows, into the buffer of ml_mlp_pass_gradient(); *loss is the sum. draw: for dropout. */
extern MlStatus ml_mlp_pass_train(MlEnv *env, MlMlpPass *pass, const uint32_t *order, size_t rows, uint64_t seed, uint64_t draw, double *loss);
extern float *ml_mlp_pass_gradient(MlMlpPass *pass);

/* Sum of the losses of rows as they would be predicted, batch norm by its running figures. */
extern MlStatus ml_mlp_pass_judge(MlEnv *env, MlMlpPass *pass, const uint32_t *order, size_t rows, double *loss);

/* To be called when theta has changed. */
extern MlStatus ml_mlp_pass_refresh(MlEnv *env, MlMlpPass *pass);

/* step.c: what the gradient does to the weights. */
typedef struct MlMlpStepper MlMlpStepper;

extern MlStatus ml_mlp_stepper_create(MlEnv *env, MlMlpNet *net, const MlParams *params, int first_trained, size_t steps_per_epoch, MlMlpStepper **stepper);
extern MlStatus ml_mlp_stepper_step(MlEnv *env, MlMlpStepper *stepper, const float *gradient, size_t rows);
extern void ml_mlp_stepper_epoch(MlMlpStepper *stepper, bool stalled, bool *stop);
extern double ml_mlp_stepper_rate(const MlMlpStepper *stepper);

/* fit.c */
extern MlStatus ml_mlp_fit(MlEnv *env, const MlDataset *data, const MlParams *params, void **model);
extern size_t ml_mlp_memory(const MlSchema *schema, const MlParams *params, size_t n, int threads);

/* serve.c */
extern void ml_mlp_predict(const void *model, const double *x, double *out, void *scratch);
extern bool ml_mlp_predict_batch(const void *model, const double *x, size_t n, double *out, void *scratch);
extern void ml_mlp_serve_sums(const MlMlpNet *net, const double *x, float *input, float *sums);
extern const float *ml_mlp_serve_forward(const MlMlpNet *net, const double *x, size_t step, size_t n, float *scratch);
extern size_t ml_mlp_scratch_size(const void *model);
extern double ml_mlp_predict_cost(const void *model);

/* explain.c */
extern MlStatus ml_mlp_explainer(MlEnv *env, const void *model, const MlSchema *schema, void **explainer);
extern void ml_mlp_explain(void *explainer, const double *x, int class_number, double *contribution, double *baseline);

/* image.c */
extern void ml_mlp_save(const void *model, MlWriter *w);
extern MlStatus ml_mlp_load(MlReader *r, const MlSchema *schema, void **model);

#endif							/* ML_ALGO_MLP_INTERNAL_H */
