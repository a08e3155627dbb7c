/* The upper bounds of the histograms' buckets, in milliseconds. */
#ifndef UPLIFT_METRICS_BOUNDS_H
#define UPLIFT_METRICS_BOUNDS_H

#include "metrics.h"

static const int metrics_bounds_ms[HISTOGRAM_COUNT][METRICS_BUCKETS] = {
    [H_RESPONSE] = {100, 250, 500, 1000, 2500, 5000, 10000, 20000, 40000, 60000, 120000, 300000},
    [H_FIRST_TOKEN] = {25, 50, 100, 250, 500, 750, 1000, 2000, 4000, 8000, 16000, 32000},
    [H_OVERHEAD] = {1, 2, 3, 5, 8, 12, 20, 35, 60, 100, 250, 1000},
};

#endif
