/* Photos without any picture: what files begin with, what their headers say, what a model answers.
 */
#include "chat/photo/picture.h"
#include "chat/photo/vision.h"
#include "common/meal_form.h"
#include "common/photo_file.h"
#include "common/schema_check.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void kinds_by_content(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        enum picture_kind kind;
    } cases[] = {
        {"\xff\xd8\xff\xe0", 4, PICTURE_JPEG},
        {"\xff\xd8", 2, PICTURE_NONE},
        {"\x89PNG\r\n\x1a\n", 8, PICTURE_PNG},
        {"\x89PNG\r\n\x1a", 7, PICTURE_NONE},
        {"RIFF\0\0\0\0WEBPVP8 ", 16, PICTURE_WEBP},
        {"RIFF\0\0\0\0WAVEfmt ", 16, PICTURE_NONE},
        {"\0\0\0\x18"
         "ftypheic",
         12, PICTURE_HEIC},
        {"\0\0\0\x18"
         "ftypmif1",
         12, PICTURE_HEIC},
        {"\0\0\0\x18"
         "ftypavif",
         12, PICTURE_NONE},
        {"\0\0\0\x18"
         "ftypisom",
         12, PICTURE_NONE},
        {"<svg xmlns=", 11, PICTURE_NONE},
        {"GIF89a", 6, PICTURE_NONE},
        {"", 0, PICTURE_NONE},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (picture_kind(cases[i].bytes, cases[i].len) != cases[i].kind)
            fail_msg("case %zu", i);
}

#define HEADER "600x400 uchar, 3 bands, srgb, jpegload_source\n"

static void headers(void **state)
{
    static const struct {
        enum picture_kind kind;
        const char *header, *code; /* NULL: it may be decoded */
    } cases[] = {
        {PICTURE_JPEG, HEADER "width: 600\nheight: 400\nvips-loader: jpegload_source\n", NULL},
        {PICTURE_JPEG, HEADER "width: 8000\nheight: 8000\nvips-loader: jpegload\n", NULL},
        {PICTURE_JPEG, HEADER "width: 8001\nheight: 8000\nvips-loader: jpegload\n",
         "image_too_large"},
        {PICTURE_PNG, "width: 30001\nheight: 1\nvips-loader: pngload\n", "image_too_large"},
        {PICTURE_PNG, "width: 99999999999999\nheight: 9\nvips-loader: pngload\n",
         "image_too_large"},
        {PICTURE_PNG, "width: 0\nheight: 400\nvips-loader: pngload\n", "invalid_image"},
        {PICTURE_PNG, "width: 600\nvips-loader: pngload\n", "invalid_image"},
        {PICTURE_PNG, "width: 600\nheight: 400\nvips-loader: magickload\n", "invalid_image"},
        {PICTURE_PNG, "width: 600\nheight: 400\n", "invalid_image"},
        {PICTURE_PNG, "", "invalid_image"},
        {PICTURE_WEBP, "width: 6\nheight: 4\nvips-loader: webpload_source\nn-pages: 2\n",
         "image_moves"},
        {PICTURE_HEIC, "width: 6\nheight: 4\nvips-loader: heifload_source\nn-pages: 2\n", NULL},
        /* What a camera's metadata say comes behind. */
        {PICTURE_JPEG,
         "width: 20000\nheight: 20000\nexif-Make: x\nwidth: 1\nheight: 1\nvips-loader: jpegload\n",
         "image_too_large"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct api_error error = {.code = ""};
        bool good = picture_check_header(cases[i].kind, cases[i].header, &error);
        if (good != (cases[i].code == NULL) || (!good && strcmp(error.code, cases[i].code) != 0))
            fail_msg("case %zu: %s", i, good ? "good" : error.code);
    }
}

static void sizes_of_jpegs(void **state)
{
    static const char jpeg[] = "\xff\xd8\xff\xe0\0\x04xx\xff\xc0\0\x11\x08\x01\x90\x02\x58\x03";
    int width = 0, height = 0;
    (void)state;
    assert_true(picture_jpeg_size(jpeg, sizeof jpeg - 1, &width, &height));
    assert_int_equal(width, 600);
    assert_int_equal(height, 400);
    for (size_t len = 0; len < sizeof jpeg - 2; len++) /* cut anywhere */
        assert_false(picture_jpeg_size(jpeg, len, &width, &height));
}

#define FOOD                                                                                       \
    "{\\\"name\\\":\\\"soup\\\",\\\"confidence\\\":0.7,\\\"amount\\\":1,\\\"unit\\\":"             \
    "\\\"bowl\\\","                                                                                \
    "\\\"grams\\\":300,\\\"calories\\\":120,\\\"protein_g\\\":4,\\\"carbohydrate_g\\\":12,"        \
    "\\\"fat_g\\\":5}"
#define MEAL(foods)                                                                                \
    "{\\\"foods\\\":[" foods "],\\\"lighting_quality\\\":\\\"good\\\","                            \
    "\\\"image_angle\\\":\\\"level\\\",\\\"background_complexity\\\":\\\"simple\\\"}"
#define SAYS(text, more) "{\"choices\":[{\"message\":{\"content\":\"" text "\"" more "}}]}"

static void answers(void **state)
{
    static const struct {
        const char *response, *code; /* NULL: it is of use */
    } cases[] = {
        {SAYS(MEAL(FOOD), ""), NULL},
        {SAYS(MEAL(""), ""), NULL},
        {SAYS(MEAL(FOOD), ",\"refusal\":null"), NULL},
        {SAYS("soup", ""), "vision_answer_unusable"},
        {SAYS("{}", ""), "vision_answer_unusable"},
        {SAYS(MEAL("{}"), ""), "vision_answer_unusable"},
        {SAYS("", ""), "vision_answer_unusable"},
        {SAYS(MEAL(FOOD), ",\"refusal\":\"no\""), "vision_refused"},
        {"{\"choices\":[{\"finish_reason\":\"length\",\"message\":{\"content\":\"{\"}}]}",
         "vision_answer_cut"},
        {"{\"choices\":[]}", "vision_answer_unusable"},
        {"{\"choices\":{}}", "vision_answer_unusable"},
        {"[]", "vision_answer_unusable"},
        {"null", "vision_answer_unusable"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cJSON *response = cJSON_Parse(cases[i].response), *meal;
        const char *code = "";
        bool good = vision_read(response, &meal, &code);
        if (good != (cases[i].code == NULL) || (!good && strcmp(code, cases[i].code) != 0))
            fail_msg("case %zu: %s", i, good ? "good" : code);
        cJSON_Delete(meal);
        cJSON_Delete(response);
    }
}

static void asks_with_the_picture(void **state)
{
    struct buf out;
    (void)state;
    buf_init(&out, 300000);
    char *jpeg = calloc(1, 100001); /* over the border of what is encoded at a time */
    assert_non_null(jpeg);
    assert_true(buf_putc(&out, '['));
    assert_true(meal_put_messages(&out, jpeg, 100001));
    assert_true(buf_putc(&out, ']'));
    cJSON *messages = cJSON_Parse(out.data);
    const cJSON *content =
        cJSON_GetObjectItemCaseSensitive(cJSON_GetArrayItem(messages, 1), "content");
    const cJSON *url = cJSON_GetObjectItemCaseSensitive(
        cJSON_GetObjectItemCaseSensitive(cJSON_GetArrayItem(content, 1), "image_url"), "url");
    assert_int_equal(strlen(url->valuestring), strlen("data:image/jpeg;base64,") + 133336);
    cJSON_Delete(messages);
    buf_release(&out);
    free(jpeg);
}

static void files_of_photos(void **state)
{
    static const char id[] = "01890000-0000-7000-8000-0000000000ab";
    char dir[] = "/tmp/uplift_photo_XXXXXX", path[128], reason[200];
    struct buf out;
    (void)state;
    assert_non_null(mkdtemp(dir));
    buf_init(&out, 100);
    assert_int_equal(photo_file_read(dir, id, &out, reason), PHOTO_FILE_GONE);
    assert_true(photo_file_remove(dir, id)); /* there is nothing to be gone */
    assert_true(photo_file_write(dir, id, "abc", 3, reason));
    assert_false(photo_file_write(dir, id, "xyz", 3, reason)); /* nothing is overwritten */
    assert_int_equal(photo_file_read(dir, id, &out, reason), PHOTO_FILE_READ);
    assert_string_equal(out.data, "abc");
    buf_release(&out);
    buf_init(&out, 2);
    assert_int_equal(photo_file_read(dir, id, &out, reason), PHOTO_FILE_UNREADABLE);
    assert_string_equal(reason, "its file is too large");
    buf_release(&out);
    buf_init(&out, 100);
    assert_true(photo_file_remove(dir, id));
    assert_int_equal(photo_file_read(dir, id, &out, reason), PHOTO_FILE_GONE);
    snprintf(path, sizeof path, "%s/ab", dir);
    assert_int_equal(rmdir(path), 0);
    /* A link in the place of a directory leads nowhere. */
    assert_int_equal(symlink("/tmp", path), 0);
    assert_false(photo_file_write(dir, id, "abc", 3, reason));
    assert_int_equal(photo_file_read(dir, id, &out, reason), PHOTO_FILE_UNREADABLE);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0);
    assert_false(photo_file_remove(dir, id)); /* not where there are no photos at all */
    assert_false(photo_file_write(dir, id, "abc", 3, reason));
    /* A directory that is away is not one whose photos are gone. */
    assert_int_equal(photo_file_read(dir, id, &out, reason), PHOTO_FILE_UNREADABLE);
    buf_release(&out);
}

static const struct CMUnitTest photo_tests[] = {
    cmocka_unit_test(kinds_by_content),      cmocka_unit_test(headers),
    cmocka_unit_test(sizes_of_jpegs),        cmocka_unit_test(answers),
    cmocka_unit_test(asks_with_the_picture), cmocka_unit_test(files_of_photos),
};

UNIT_MAIN(photo_tests)
