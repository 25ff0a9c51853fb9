/* Written by isolation.py with scikit-learn 1.2.1, numpy 1.24.2. */
static const struct
{
	const char *name;
	double		mean;
	double		deviation;
}			isolation_figures[] = {
	{"auc", 0.988697066, 0.00148124729},
	{"score", 0.430815442, 0.00373160179},
	{"deviation of scores", 0.0533233238, 0.00120630696},
	{"score of the odd", 0.657731503, 0.00280667331},
	{"flagged", 0.086325, 0.00937186614},
};

static const struct
{
	double		n;
	double		path;
}			isolation_paths[] = {
	{1, 0},
	{2, 1},
	{3, 1.207392357589623},
	{5, 2.327020052042847},
	{10, 3.7488804844755039},
	{256, 10.244770920119917},
	{100000, 22.180282259643523},
};
