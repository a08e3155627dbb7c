/*
 * What the simulated model sees on a photo of a meal: it depends on the pixels. The picture is
 * shrunk to a grid of few cells, and each cell's colour is that of a food, or of a plate or table.
 * A food is as much as it has cells, and the purer its colour the surer it is.
 */
#ifndef UPLIFT_SIMULATOR_MEAL_H
#define UPLIFT_SIMULATOR_MEAL_H

#include <cjson/cJSON.h>
#include <stdbool.h>

/* Whether a request asks what is on a photo in the form of common/meal_form.h. */
bool meal_is_asked(const cJSON *request);
/* What is on the last picture of the messages; nothing where it has none that can be read. The
 * caller's; NULL when memory ran out. */
cJSON *meal_value(const cJSON *request);

#endif
