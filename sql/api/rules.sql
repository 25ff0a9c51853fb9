/*
 * Trees that can be read.
 */
CREATE FUNCTION ml_rules(model text, tree int DEFAULT 1)
	RETURNS TABLE (node int, parent int, depth int, condition text, missing boolean, leaf boolean,
		prediction text, value double precision, rows bigint, share double precision, path text)
	LANGUAGE c STABLE PARALLEL SAFE COST 1000 ROWS 50
	AS 'MODULE_PATHNAME', 'ml_rules';
COMMENT ON FUNCTION ml_rules(text, int) IS
	'a tree of a model node by node, parents first: the condition that rows of the parent meet which come here (missing: also those without a value), all conditions from the root on as path, and the training rows of the tree. prediction and value: the likeliest class and its share, or the mean; of gbdt what a leaf adds to the score of that class, or to the prediction. Forests and gbdt have many trees, numbered from 1. Needs the privilege read';
GRANT EXECUTE ON FUNCTION ml_rules(text, int) TO PUBLIC;
