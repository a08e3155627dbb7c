/*
 * The configuration: one declared table, read from the environment and a file of KEY=VALUE lines.
 */
#ifndef UPLIFT_CONFIG_H
#define UPLIFT_CONFIG_H

#include "must_check.h"
#include "uuid.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* The values of UPLIFT_TRAINER. */
enum config_trainer { TRAINER_OPENAI, TRAINER_COMMAND, TRAINER_NONE };

/* Every value, as read. Strings are owned by the configuration; NULL where unset and without a
 * default. */
struct config {
    char *database_url;
    char *listen;
    int64_t listen_mode;
    int64_t workers; /* 0: one a core */
    int64_t intake_threads;
    int64_t db_connections;
    char *run_as;
    char *upstream_url; /* without a trailing slash */
    char *openai_api_key;
    char *ca_bundle; /* path, or NULL */
    char *model;
    char *models;  /* comma list */
    char *routing; /* JSON, or NULL */
    char *key_dir;
    char *provider_keys;   /* comma list of KEY@ORIGIN, or NULL */
    char *allow_addresses; /* comma list of networks, or NULL */
    char *jwt_secret;
    char *jwks_url;
    char *jwt_audience;
    char *jwt_issuer;
    int64_t jwt_skew_s;
    bool jwt_any_sub;       /* UPLIFT_JWT_SUB=any */
    char *jwt_role_claim;   /* a name, or a path with dots */
    char *jwt_admin_roles;  /* comma list */
    char *jwt_tester_roles; /* comma list */
    char *anon_key;
    char *guest_user; /* a checked UUID, or NULL */
    char *cors_origins;
    int64_t max_chats; /* open at once in one worker */
    int64_t max_body_bytes;
    int64_t max_message_bytes;
    int64_t request_memory_bytes; /* of one process */
    int64_t connect_timeout_ms;
    int64_t first_byte_timeout_ms;
    int64_t first_token_timeout_ms;
    int64_t idle_timeout_ms;
    int64_t total_timeout_ms;
    int64_t heartbeat_ms;
    int64_t client_buffer_bytes;
    int64_t max_answer_bytes;
    int64_t retries;
    int64_t breaker_failures; /* 0: none */
    int64_t breaker_open_ms;
    bool finish_on_hangup; /* UPLIFT_ON_HANGUP=finish */
    int64_t history_tokens;
    int64_t cache; /* enum cache_mode: the default of requests */
    int64_t cache_ttl_s;
    int64_t cache_max_entries; /* fcgi-batch keeps to it */
    char *spool_dir;
    char *search_database_url; /* NULL: no retrieval */
    char *search_dir;
    char *embeddings_url; /* without a trailing slash; NULL: knowledge is found by words alone */
    char *embeddings_model;
    char *embeddings_key;
    int64_t embeddings_dimensions; /* 0: as many as the model gives */
    int64_t embeddings_timeout_ms; /* of a chat's question */
    char *photo_dir;               /* NULL: no photos are taken */
    int64_t max_photo_bytes;
    char *vips_dir;
    char *vision_url;   /* without a trailing slash; NULL: as upstream_url */
    char *vision_key;   /* NULL: with vision_url none, else openai_api_key */
    char *vision_model; /* NULL: model; "none": no model is asked */
    int64_t vision_timeout_ms;
    int64_t db_timeout_ms;
    int64_t db_lock_timeout_ms;
    int64_t group_max;
    int64_t record_queue_max;
    char *id_key;
    int64_t log_level;  /* enum log_level */
    int64_t access_log; /* enum access_log */
    int64_t drain_ms;

    /* fcgi-batch only */
    char *batch_database_url; /* NULL: as database_url */
    char *batch_listen;
    int64_t batch_threads;
    int64_t batch_runners; /* 0: none */
    int64_t batch_poll_ms;
    int64_t batch_lease_ms;
    int64_t batch_statement_timeout_ms;
    char *batch_dir;
    char *export_dir;
    char *batch_model;         /* NULL: model; "none": no model is asked */
    char *knowledge_dir;       /* NULL: none */
    char *knowledge_addresses; /* comma list of networks, or NULL */
    char *pdftotext;
    int64_t trainer; /* enum config_trainer */
    char *trainer_url;
    char *trainer_api_key;
    char *trainer_key_header;
    char *trainer_command;
    int64_t trainer_poll_ms;
    int64_t trainer_timeout_ms;
};

/*
 * Reads path (NULL: none) and then the environment, which wins. An unknown UPLIFT_* name, a bad
 * value, a NAME_FILE that cannot be read: false, and every complaint, one a line, is printed to
 * complaints. On success *out is filled in; release it with config_release.
 */
MUST_CHECK bool config_read(struct config *out, const char *path, FILE *complaints);
/*
 * The same for a reload: a NAME_FILE that this process may no longer read (it was root when it
 * started, and is not now) keeps the value it has in before.
 */
bool config_read_again(struct config *out, const struct config *before, const char *path,
                       FILE *complaints);
void config_release(struct config *c);
/* Prints the table (name, default, meaning, unit) for --help. */
void config_print_help(FILE *out);
/* Prints each name and its value, secrets as "(set)" or "(not set)", for --check. */
void config_print(const struct config *c, FILE *out);

/* Where fcgi-batch finds Postgres. */
static inline const char *config_batch_database(const struct config *c)
{
    return c->batch_database_url != NULL ? c->batch_database_url : c->database_url;
}

#endif
