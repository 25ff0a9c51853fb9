/*-------------------------------------------------------------------------
 * figures.h
 *	  What was measured when a version was trained, as reports read it.
 *
 * Read with the active snapshot, as owner of the tables: the caller has asked for the
 * privilege.  Results are in the current memory context.
 *-------------------------------------------------------------------------
 */
#ifndef ML_CATALOG_FIGURES_H
#define ML_CATALOG_FIGURES_H

#include "postgres.h"

#include "ml/eval/metrics.h"

/* One value per metric, in any order; a NULL is NaN.  Returns how many. */
extern int	ml_figures_metrics(int64 version_id, const char *split, MlMetric **metrics);

/* n_classes x n_classes, actual x predicted; NULL when there is none. */
extern int64 *ml_figures_confusion(int64 version_id, const char *split, int n_classes, const char *const *classes);

/* Points in their order.  Returns how many. */
extern int	ml_figures_roc(int64 version_id, MlRocPoint **points);

#endif							/* ML_CATALOG_FIGURES_H */
