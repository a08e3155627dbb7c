/*
 * Pictures as clients send them, made into the JPEGs that are kept: upright, in sRGB, on white
 * where they are transparent, at most PICTURE_SIDE_MAX pixels wide and high, and without anything
 * beside the pixels: no place, no camera, no thumbnail, no text, no second file behind the first.
 *
 * What it is says its content, whatever its name and type are. libvips decodes it, in a child with
 * limits: first its header, by which pictures that are too large, move, or are not what they began
 * as are refused, and only then its pixels.
 */
#ifndef UPLIFT_PICTURE_H
#define UPLIFT_PICTURE_H

#include "common/buf.h"
#include "common/config.h"
#include "common/error.h"
#include "common/must_check.h"

#include <stdbool.h>
#include <stddef.h>

#define PICTURE_SIDE_MAX 2048
#define PICTURE_PIXELS_MAX 64000000 /* of what is sent */
#define PICTURE_LONGEST 30000       /* pixels of a side of what is sent */

enum picture_kind { PICTURE_NONE, PICTURE_JPEG, PICTURE_PNG, PICTURE_WEBP, PICTURE_HEIC };

struct picture {
    struct buf jpeg; /* as it is kept */
    int width, height;
};

/* What the first bytes of a file say that it is; PICTURE_NONE: none of what is taken. */
enum picture_kind picture_kind(const char *data, size_t len);
/* What libvips says of a picture (vipsheader -a): false with *error when it is not to be decoded.
 */
MUST_CHECK bool picture_check_header(enum picture_kind kind, const char *header,
                                     struct api_error *error);
/* The size that the header of a JPEG says; false: it is none. */
MUST_CHECK bool picture_jpeg_size(const char *data, size_t len, int *width, int *height);

/*
 * Makes a picture of what was sent. False with *error: 400 invalid_image, image_too_large,
 * image_moves, 415 unsupported_image, 503 image_reader_unavailable. Release it in any case.
 */
MUST_CHECK bool picture_make(struct picture *p, const struct config *config, const char *data,
                             size_t len, struct api_error *error);
void picture_release(struct picture *p);

#endif
