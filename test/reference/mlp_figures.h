/* Written by test/reference/mlp.py with scikit-learn 1.2.1, numpy 1.24.2. */
#define STEP_ROWS 150
#define STEP_FEATURES 4
#define STEP_SHOWN 8

static const struct
{
	const char *name;
	int			n_classes;
	const char *settings;
	double		prediction[STEP_SHOWN];	/* the value, or the probability of the last class */
}			steps[] = {
	{"sgd", 0, "hidden_layer_sizes=6,5 batch_size=32 tol=0 n_iter_no_change=1000 activation=tanh solver=sgd learning_rate_init=0.05 alpha=0.01 shuffle=false max_iter=4",
	{-0.848436319, 0.535091248, 0.542569339, -1.28286448, 0.916156856, -1.13067215, -1.08040756, 0.555960623}},
	{"sgd without nesterov", 2, "hidden_layer_sizes=9 batch_size=32 tol=0 n_iter_no_change=1000 activation=logistic solver=sgd nesterovs_momentum=false momentum=0.8 learning_rate_init=0.1 alpha=0 shuffle=true max_iter=5",
	{0.364075666, 0.433594377, 0.443323391, 0.265202552, 0.491839719, 0.333610373, 0.327820835, 0.443929814}},
	{"adam", 0, "hidden_layer_sizes=7,7 batch_size=32 tol=0 n_iter_no_change=1000 activation=relu solver=adam learning_rate_init=0.01 alpha=0.1 shuffle=true max_iter=4",
	{-0.567879858, -0.832882201, -0.543266022, -0.706719743, -0.374321981, -0.431222953, -0.329180701, -0.370391226}},
	{"adam, three classes", 3, "hidden_layer_sizes=8 batch_size=32 tol=0 n_iter_no_change=1000 activation=tanh solver=adam learning_rate_init=0.02 alpha=0.001 shuffle=true max_iter=6",
	{0.0542764121, 0.510590787, 0.376312804, 0.00437815434, 0.620657689, 0.0187052636, 0.0237558641, 0.198376571}},
};

static const struct
{
	const char *table;
	int			n_classes;
	int			splits;
	int			seeds;
	const char *settings;
	double		score;		/* accuracy, or R2: the mean over splits and seeds */
}			quality[] = {
	{"iris", 3, 5, 12, "hidden_layer_sizes=50 learning_rate_init=0.01", 0.958291},
	{"wine", 3, 5, 12, "hidden_layer_sizes=50 learning_rate_init=0.01", 0.962420},
	{"breast_cancer", 2, 5, 3, "hidden_layer_sizes=50 learning_rate_init=0.003", 0.965243},
	{"digits", 10, 2, 3, "hidden_layer_sizes=64,32 max_iter=40", 0.967272},
	{"diabetes", 0, 5, 3, "hidden_layer_sizes=20 activation=tanh learning_rate_init=0.003 max_iter=60 alpha=1", 0.478895},
};
