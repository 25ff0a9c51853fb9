/*-------------------------------------------------------------------------
 * calendar.h
 *	  Days since 2000-01-01 and their parts in the proleptic Gregorian calendar.
 *
 * Integer arithmetic only: the same bits in training and serving, on every machine.
 *-------------------------------------------------------------------------
 */
#ifndef ML_PREP_CALENDAR_H
#define ML_PREP_CALENDAR_H

#include "ml/prep/spec.h"

/* One part of a value as rows have it (see MlTimeUnit), as is the origin; NaN for a missing one and for one beyond the calendar. */
extern double ml_date_part(MlDatePart part, MlTimeUnit unit, double origin, double value);

/* "2024-01-31", "2024-01-31 12:30:00" -> days since 2000-01-01; false for anything else. */
extern bool ml_date_parse(const char *text, double *days);

#endif							/* ML_PREP_CALENDAR_H */
