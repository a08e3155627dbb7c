/* A curve drawn in a terminal, such as a training loss by step. */
#ifndef UPLIFT_BATCH_CURVE_H
#define UPLIFT_BATCH_CURVE_H

#include <stddef.h>
#include <stdio.h>

#define CURVE_WIDTH_MAX 120

/*
 * Draws values, equally far apart, width columns by height lines, each column the mean of those
 * that fall into it; with the largest and the least value at the left. Nothing for no values.
 * width and height are at least 1, width at most CURVE_WIDTH_MAX.
 */
void curve_draw(FILE *out, const double *values, size_t count, int width, int height);

#endif
