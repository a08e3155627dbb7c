/* Meals by their colours. */
#include "meal.h"

#include "common/child.h"
#include "common/json.h"
#include "common/meal_form.h"

#include <math.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GRID 6 /* cells each way */
#define CELLS (GRID * GRID)
#define GRAMS 15 /* of a food in a cell */
#define PICTURE_MAX ((size_t)32 << 20)

/* Of a hundred grams. Hues are in degrees. */
static const struct food {
    const char *name, *unit;
    double unit_grams;
    int hue;
    double calories, protein, carbohydrate, fat;
} foods[] = {
    {"tomato soup", "bowl", 250, 5, 50, 1.5, 8, 1.2},
    {"grilled salmon", "fillet", 130, 20, 206, 22, 0, 12},
    {"carrots", "cup", 120, 33, 41, 0.9, 10, 0.2},
    {"scrambled eggs", "egg", 60, 55, 148, 10, 1.6, 11},
    {"green salad", "bowl", 100, 105, 17, 1.3, 3.3, 0.2},
    {"broccoli", "cup", 90, 140, 34, 2.8, 7, 0.4},
    {"blueberries", "cup", 150, 240, 57, 0.7, 14, 0.3},
    {"beetroot", "slice", 20, 320, 43, 1.6, 10, 0.2},
};
static const struct food rice = {"white rice", "cup", 160, 0, 130, 2.7, 28, 0.3};
#define FOODS (sizeof foods / sizeof foods[0])

struct seen {
    int cells;
    double purity; /* added up */
};

bool meal_is_asked(const cJSON *request)
{
    const cJSON *format = cJSON_GetObjectItemCaseSensitive(request, "response_format");
    const cJSON *form = cJSON_GetObjectItemCaseSensitive(format, "json_schema");
    const char *name = json_string(form, "name");
    return name != NULL && strcmp(name, MEAL_FORM_NAME) == 0;
}

/* The last data URL of the messages. */
static const char *find_picture(const cJSON *request)
{
    const cJSON *message, *part;
    const char *found = NULL;
    cJSON_ArrayForEach (message, cJSON_GetObjectItemCaseSensitive(request, "messages"))
        cJSON_ArrayForEach (part, cJSON_GetObjectItemCaseSensitive(message, "content")) {
            const char *url =
                json_string(cJSON_GetObjectItemCaseSensitive(part, "image_url"), "url");
            const char *comma = url != NULL ? strstr(url, ";base64,") : NULL;
            if (comma != NULL && strncmp(url, "data:image/", 11) == 0)
                found = comma + strlen(";base64,");
        }
    return found;
}

/* The colours of the cells, three bytes each; false: the picture cannot be read. */
static bool read_cells(const char *base64, unsigned char cells[3 * CELLS])
{
    static char name[] = "vipsthumbnail", input[] = "stdin", size_option[] = "-s", size[] = "6x6!",
                output_option[] = "-o", output[] = ".ppm", vector[] = "VIPS_NOVECTOR=1";
    static char *const arguments[] = {name, input, size_option, size, output_option, output, NULL};
    static char *const environment[] = {vector, NULL};
    static const struct child child = {.program = "/usr/bin/vipsthumbnail",
                                       .arguments = arguments,
                                       .environment = environment,
                                       .memory_bytes = (size_t)1 << 30,
                                       .cpu_s = 10,
                                       .wall_s = 20};
    size_t len = strlen(base64);
    struct child_end end;
    struct buf pixels;
    unsigned char *data = len > 0 && len <= PICTURE_MAX && len % 4 == 0 ? malloc(len) : NULL;
    int bytes = data != NULL ? EVP_DecodeBlock(data, (const unsigned char *)base64, (int)len) : -1;
    buf_init(&pixels, 65536);
    bool good = bytes > 0 &&
                child_run(&child, (const char *)data, (size_t)bytes, &pixels, &end) == CHILD_DONE &&
                pixels.len > 3 * CELLS;
    if (good) /* behind a short head */
        memcpy(cells, pixels.data + pixels.len - 3 * CELLS, 3 * CELLS);
    buf_release(&pixels);
    free(data);
    return good;
}

/* Hue in degrees, saturation and value from 0 to 1 (Smith 1978). */
static void to_hsv(const unsigned char *rgb, double *hue, double *saturation, double *value)
{
    double r = rgb[0] / 255.0, g = rgb[1] / 255.0, b = rgb[2] / 255.0;
    double most = fmax(r, fmax(g, b)), least = fmin(r, fmin(g, b)), range = most - least;
    *value = most;
    *saturation = most > 0 ? range / most : 0;
    if (range <= 0)
        *hue = 0;
    else if (most == r)
        *hue = fmod(60 * (g - b) / range + 360, 360);
    else if (most == g)
        *hue = 60 * (b - r) / range + 120;
    else
        *hue = 60 * (r - g) / range + 240;
}

/* The nearest food by hue; FOODS is rice, and -1 plate, table or shadow. */
static int food_of(double hue, double saturation, double value)
{
    int best = -1;
    double nearest = 360;
    if (value > 0.85 && value < 0.97 && saturation < 0.15)
        return FOODS;
    if (saturation < 0.25 || value < 0.2)
        return -1;
    for (size_t i = 0; i < FOODS; i++) {
        double apart = fabs(hue - foods[i].hue);
        apart = fmin(apart, 360 - apart);
        if (apart < nearest) {
            nearest = apart;
            best = (int)i;
        }
    }
    return best;
}

static double rounded(double x)
{
    return round(x * 10) / 10;
}

static cJSON *describe(const struct food *f, const struct seen *s)
{
    cJSON *food = cJSON_CreateObject();
    double grams = s->cells * (double)GRAMS, share = grams / 100;
    cJSON_AddStringToObject(food, "name", f->name);
    cJSON_AddNumberToObject(food, "confidence", rounded(0.5 + s->purity / s->cells / 2));
    cJSON_AddNumberToObject(food, "amount", rounded(grams / f->unit_grams));
    cJSON_AddStringToObject(food, "unit", f->unit);
    cJSON_AddNumberToObject(food, "grams", grams);
    cJSON_AddNumberToObject(food, "calories", rounded(f->calories * share));
    cJSON_AddNumberToObject(food, "protein_g", rounded(f->protein * share));
    cJSON_AddNumberToObject(food, "carbohydrate_g", rounded(f->carbohydrate * share));
    cJSON_AddNumberToObject(food, "fat_g", rounded(f->fat * share));
    return food;
}

cJSON *meal_value(const cJSON *request)
{
    unsigned char cells[3 * CELLS];
    struct seen seen[FOODS + 1] = {{0}};
    double light = 0, hue, saturation, value;
    const char *picture = find_picture(request);
    bool is_read = picture != NULL && read_cells(picture, cells);
    for (size_t i = 0; is_read && i < CELLS; i++) {
        to_hsv(cells + 3 * i, &hue, &saturation, &value);
        int food = food_of(hue, saturation, value);
        light += value / CELLS;
        if (food >= 0) {
            seen[food].cells++;
            seen[food].purity += (size_t)food == FOODS ? 0.5 : saturation;
        }
    }
    cJSON *meal = cJSON_CreateObject();
    cJSON *list = cJSON_AddArrayToObject(meal, "foods");
    int kinds = 0;
    for (size_t i = 0; i <= FOODS; i++) {
        /* A cell alone is where two colours meet. */
        if (seen[i].cells < 2)
            continue;
        cJSON_AddItemToArray(list, describe(i == FOODS ? &rice : &foods[i], &seen[i]));
        kinds++;
    }
    cJSON_AddStringToObject(meal, "lighting_quality", light < 0.35 ? "dim" : "good");
    cJSON_AddStringToObject(meal, "image_angle", "overhead");
    cJSON_AddStringToObject(meal, "background_complexity", kinds > 3 ? "busy" : "simple");
    return meal;
}
