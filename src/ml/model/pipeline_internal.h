/*-------------------------------------------------------------------------
 * pipeline_internal.h
 *	  A training run on its way, for the files of the pipeline.
 *-------------------------------------------------------------------------
 */
#ifndef ML_MODEL_PIPELINE_INTERNAL_H
#define ML_MODEL_PIPELINE_INTERNAL_H

#include "ml/data/encode.h"
#include "ml/model/pipeline.h"

struct MlPipeline
{
	MlEnv	   *env;
	const MlTrainSpec *spec;
	MlFrame    *frame;
	MlTrainResult *result;
	const MlColumn *target;		/* NULL: the task has none */
	MlSchema   *schema;
	uint8_t    *part;			/* frame->rows */
	int32_t    *class_of;		/* frame->rows, NULL for regression */
	size_t	   *order;			/* rows in use: train, validation, test */
	size_t		n_part[3];
	size_t		n_unlabelled;	/* rows that train without a target: in "order" behind those that train with one */
	size_t		n;				/* the sum of all */
	double	   *y;				/* n; NULL without target */
	double	   *weight;			/* n, of the user; NULL: all 1 */
	const double *fit_weight;	/* the same with class weights */
	MlPrep	   *prep;			/* NULL: none */
	const MlSchema *encoded;	/* what the method sees */
	MlBinRules	rules;
	MlBinChoice choice;
	MlEncodeRows rows;
};

/* pipeline_parts.c: which rows are for what, with target and weights; and where a part begins in "order". */
extern MlStatus ml_pipeline_prepare(MlPipeline *run);
extern size_t ml_pipeline_part_start(const MlPipeline *run, MlPart part);

/*
 * pipeline_judge.c: the figures of all parts, data being what the model's rows are made of.  And the rival's, before the frame
 * is given up: its rows are looked up in it as they were read.
 */
extern MlStatus ml_pipeline_judge(MlPipeline *run, const MlDataset *data);
extern MlStatus ml_pipeline_judge_rival(MlPipeline *run);

#endif							/* ML_MODEL_PIPELINE_INTERNAL_H */
