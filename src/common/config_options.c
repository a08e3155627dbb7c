/* Every option of the configuration. */
#include "config_options.h"

#include "config.h"

#include <limits.h>
#include <stddef.h>

#define AT(member) offsetof(struct config, member)

const struct config_option config_options[] = {
    {"DATABASE_URL", CONNINFO, AT(database_url), NULL, 0, 0, NULL,
     "Postgres: a libpq connection string or URL; several hosts are tried in turn. Required."},
    {"UPLIFT_LISTEN", ADDRESS, AT(listen), "unix:/run/uplift/chat.sock", 0, 0, NULL,
     "Where nginx finds the workers: unix:PATH, or HOST:PORT for nginx on another host (keep it on "
     "a private network: FastCGI has no passwords)."},
    {"UPLIFT_LISTEN_MODE", OCTAL, AT(listen_mode), "0660", 0, 0777, NULL,
     "File mode of the Unix socket."},
    {"UPLIFT_WORKERS", INTEGER, AT(workers), "0", 0, 128, NULL,
     "Worker processes, of several threads each, at most 128; 0 is one for every two cores."},
    {"UPLIFT_INTAKE_THREADS", INTEGER, AT(intake_threads), "32", 1, 256, NULL,
     "Threads of each worker that take requests in, and wait for Postgres meanwhile."},
    {"UPLIFT_DB_CONNECTIONS", INTEGER, AT(db_connections), "4", 2, 256, NULL,
     "Connections of each worker to Postgres that requests share: one half for chats, the other "
     "for all else. Four more are for recording and for what changes beside the chats."},
    {"UPLIFT_RUN_AS", TEXT, AT(run_as), NULL, 0, 0, NULL,
     "User to become once the socket is made; needed when started as root."},
    {"UPLIFT_UPSTREAM_URL", URL, AT(upstream_url), "https://api.openai.com/v1", 0, 0, NULL,
     "Base URL of the provider: OpenAI's, or any server that speaks its API."},
    {"OPENAI_API_KEY", SECRET, AT(openai_api_key), NULL, 0, 0, NULL,
     "Key for the provider; local servers often need none."},
    {"UPLIFT_CA_BUNDLE", PATH, AT(ca_bundle), NULL, 0, 0, NULL,
     "File with the certificates (PEM) of the authorities to trust instead of the system's, for "
     "the provider and the public keys."},
    {"UPLIFT_MODEL", TEXT, AT(model), "gpt-4.1-mini", 0, 0, NULL,
     "Model that answers when a chat names none."},
    {"UPLIFT_MODELS", LIST, AT(models), NULL, 0, 0, NULL,
     "More models that clients may name, separated by commas; beside them those with routes of "
     "their own, those deployed in production, and what rules allow."},
    {"UPLIFT_ROUTING", ROUTING, AT(routing), NULL, 0, 0, NULL,
     "More providers, and which of them answer for a model, as JSON (API.md, \"Routing\"); "
     "mostly given as UPLIFT_ROUTING_FILE. What admins set by URL takes the place of the same name "
     "here."},
    {"UPLIFT_KEY_DIR", PATH, AT(key_dir), "/etc/uplift/keys", 0, 0, NULL,
     "Directory of the providers' keys that are named file:NAME, a file each."},
    {"UPLIFT_PROVIDER_KEYS", KEYS, AT(provider_keys), NULL, 0, 0, NULL,
     "Which key may go to which server, for providers that admins set by URL: KEY@ORIGIN, such as "
     "env:BACKUP_API_KEY@https://api.example.com or file:backup@https://api.example.com, separated "
     "by commas. The same for both programs."},
    {"UPLIFT_ALLOW_ADDRESSES", NETWORKS, AT(allow_addresses), NULL, 0, 0, NULL,
     "Addresses and networks, separated by commas, that a provider may have although they are "
     "link-local or where clouds tell a machine its secrets; all others are connected to anyway."},
    {"UPLIFT_JWT_SECRET", SECRET, AT(jwt_secret), NULL, 0, 0, NULL,
     "Shared secret of HS256 tokens, at least 32 bytes. This or UPLIFT_JWKS_URL is required."},
    {"UPLIFT_JWKS_URL", URL, AT(jwks_url), NULL, 0, 0, NULL,
     "Where the public keys of ES256 and RS256 tokens are found."},
    {"UPLIFT_JWT_AUDIENCE", TEXT, AT(jwt_audience), "authenticated", 0, 0, NULL,
     "The aud that a user's token must have."},
    {"UPLIFT_JWT_ISSUER", TEXT, AT(jwt_issuer), NULL, 0, 0, NULL,
     "The iss that a user's token must have; unset: any."},
    {"UPLIFT_JWT_SKEW_S", SECONDS, AT(jwt_skew_s), "30", 0, 600, NULL,
     "By how much clocks may differ when exp and nbf are checked."},
    {"UPLIFT_JWT_SUB", FLAG, AT(jwt_any_sub), "uuid", 0, 0, "uuid|any",
     "What the sub of a user's token may be: uuid, the user's id itself; or any, where one that is "
     "no UUID, or one of version 5, stands for the UUID version 5 made of it and "
     "UPLIFT_JWT_ISSUER, which must be set."},
    {"UPLIFT_JWT_ROLE_CLAIM", TEXT, AT(jwt_role_claim), "app_metadata.role", 0, 0, NULL,
     "The claim that says what a user may do, a text or a list of texts: its name, or a path to it "
     "with dots, such as realm_access.roles."},
    {"UPLIFT_JWT_ADMIN_ROLES", LIST, AT(jwt_admin_roles), "admin", 0, 0, NULL,
     "Values of that claim that make an admin, separated by commas."},
    {"UPLIFT_JWT_TESTER_ROLES", LIST, AT(jwt_tester_roles), "tester", 0, 0, NULL,
     "Values of that claim that make a tester, who may name variants of experiments."},
    {"UPLIFT_ANON_KEY", SECRET, AT(anon_key), NULL, 0, 0, NULL,
     "The public apikey of clients without a user. Unset: any apikey will do."},
    {"UPLIFT_GUEST_USER", UUID, AT(guest_user), NULL, 0, 0, NULL,
     "The user that requests without a user belong to; unset: they are refused."},
    {"UPLIFT_CORS_ORIGINS", ORIGINS, AT(cors_origins), NULL, 0, 0, NULL,
     "Origins whose pages may call the API, separated by commas, or * for all."},
    {"UPLIFT_MAX_CHATS", INTEGER, AT(max_chats), "4096", 1, 1000000, NULL,
     "Chats that one worker has open at once; beyond them 503."},
    {"UPLIFT_MAX_BODY_BYTES", SIZE, AT(max_body_bytes), "8M", KiB, 256 * MiB, NULL,
     "Largest request body; beyond it 413."},
    {"UPLIFT_MAX_MESSAGE_BYTES", SIZE, AT(max_message_bytes), "256k", 1, 64 * MiB, NULL,
     "Longest text of one message, on both chat routes."},
    {"UPLIFT_REQUEST_MEMORY_BYTES", SIZE, AT(request_memory_bytes), "256M", MiB, 64 * GiB, NULL,
     "Memory that large requests may hold at once in one process: a body four times its size while "
     "it is read, then what is sent to a provider, until it is not needed for another try, and "
     "what "
     "is recorded, until the answer has ended; beyond it 503."},
    {"UPLIFT_CONNECT_TIMEOUT_MS", DURATION, AT(connect_timeout_ms), "5s", 10, HOUR, NULL,
     "How long connecting to the provider may take."},
    {"UPLIFT_FIRST_BYTE_TIMEOUT_MS", DURATION, AT(first_byte_timeout_ms), "60s", 10, HOUR, NULL,
     "How long the provider may be silent before its answer begins; a comment is a sign of life."},
    {"UPLIFT_FIRST_TOKEN_TIMEOUT_MS", DURATION, AT(first_token_timeout_ms), "12s", 10, HOUR, NULL,
     "How long a stream may go without a first token before the next route is tried, where there "
     "is one."},
    {"UPLIFT_IDLE_TIMEOUT_MS", DURATION, AT(idle_timeout_ms), "60s", 10, HOUR, NULL,
     "How long the provider may be silent within an answer."},
    {"UPLIFT_TOTAL_TIMEOUT_MS", DURATION, AT(total_timeout_ms), "10min", 10, 24 * HOUR, NULL,
     "How long an answer may take in all; nginx's fastcgi_read_timeout must be longer."},
    {"UPLIFT_HEARTBEAT_MS", DURATION, AT(heartbeat_ms), "15s", 10, HOUR, NULL,
     "How often a silent stream sends its client a comment."},
    {"UPLIFT_CLIENT_BUFFER_BYTES", SIZE, AT(client_buffer_bytes), "1M", 16 * KiB, GiB, NULL,
     "What may wait for a client that does not read, before it is given up."},
    {"UPLIFT_MAX_ANSWER_BYTES", SIZE, AT(max_answer_bytes), "4M", KiB, GiB, NULL,
     "Longest answer; a longer one is cut and recorded as partial."},
    {"UPLIFT_RETRIES", INTEGER, AT(retries), "1", 0, 1, NULL,
     "How often a call that failed before its first byte is tried again on the same route."},
    {"UPLIFT_BREAKER_FAILURES", INTEGER, AT(breaker_failures), "5", 0, 1000, NULL,
     "After so many failures in a row, of more than one user, a provider's model is left alone for "
     "a while; of the provider as a whole (no connection, 401, no credit), all of it; 0: never."},
    {"UPLIFT_BREAKER_OPEN_MS", DURATION, AT(breaker_open_ms), "2s", 10, HOUR, NULL,
     "For how long; doubled, up to 16 times that, each time that one chat sent to try it fails."},
    {"UPLIFT_ON_HANGUP", FLAG, AT(finish_on_hangup), "cancel", 0, 0, "cancel|finish",
     "What becomes of an answer on /v1/chat/completions whose client has gone: cancel, or finish "
     "it "
     "unheard. On /v1/chat it is always finished."},
    {"UPLIFT_HISTORY_TOKENS", INTEGER, AT(history_tokens), "4000", 0, 1000000, NULL,
     "How much of the conversation goes along with a message, in tokens."},
    {"UPLIFT_CACHE", CHOICE, AT(cache), "off", 0, 0, "off|on|read-only|write-only",
     "Whether the same question gets the answer it got before: what counts for requests that do "
     "not say."},
    {"UPLIFT_CACHE_TTL_S", SECONDS, AT(cache_ttl_s), "24h", 1, 10000 * HOUR / SECOND, NULL,
     "How long an answer may be given again."},
    {"UPLIFT_CACHE_MAX_ENTRIES", INTEGER, AT(cache_max_entries), "100000", 0, 100000000, NULL,
     "How many answers the job trim-cache leaves to be given again."},
    {"UPLIFT_SPOOL_DIR", PATH, AT(spool_dir), "/var/lib/uplift/spool", 0, 0, NULL,
     "Directory for answers and feedback that wait while Postgres is away."},
    {"UPLIFT_SEARCH_DATABASE_URL", CONNINFO, AT(search_database_url), NULL, 0, 0, NULL,
     "Postgres for retrieval, as role uplift_search: knowledge and well-rated answers are read by "
     "it, and found for each chat. Unset: there is no retrieval."},
    {"UPLIFT_SEARCH_DIR", PATH, AT(search_dir), "/var/lib/uplift/search", 0, 0, NULL,
     "Directory for the copies that are searched, on a local disk; each takes some 300 bytes for a "
     "text."},
    {"UPLIFT_EMBEDDINGS_URL", URL, AT(embeddings_url), NULL, 0, 0, NULL,
     "Base URL of a server with OpenAI's /embeddings: with it, and with pgvector in the database, "
     "knowledge is found by what it means besides by its words, and each question to a coach is "
     "sent there. Unset: by words alone."},
    {"UPLIFT_EMBEDDINGS_MODEL", TEXT, AT(embeddings_model), "text-embedding-3-small", 0, 0, NULL,
     "Model that makes embeddings. After a change the job embed-knowledge makes all anew."},
    {"UPLIFT_EMBEDDINGS_KEY", SECRET, AT(embeddings_key), NULL, 0, 0, NULL,
     "Key for that server; local ones often need none."},
    {"UPLIFT_EMBEDDINGS_DIMENSIONS", INTEGER, AT(embeddings_dimensions), "0", 0, 4096, NULL,
     "How many numbers an embedding is to have, for models that let one choose; 0: as many as the "
     "model gives, at most 4096."},
    {"UPLIFT_EMBEDDINGS_TIMEOUT_MS", DURATION, AT(embeddings_timeout_ms), "200ms", 10, 60 * SECOND,
     NULL,
     "How long a chat waits for its question's embedding before it goes on with words alone."},
    {"UPLIFT_PHOTO_DIR", PATH, AT(photo_dir), NULL, 0, 0, NULL,
     "Directory for photos of meals, the same for both programs and all hosts, outside of what "
     "nginx serves; nginx reads it in a location of its own. Unset: no photos are taken."},
    {"UPLIFT_MAX_PHOTO_BYTES", SIZE, AT(max_photo_bytes), "16M", KiB, 64 * MiB, NULL,
     "Largest upload of a photo, with what is around it; beyond it 413."},
    {"UPLIFT_VIPS_DIR", PATH, AT(vips_dir), "/usr/bin", 0, 0, NULL,
     "Directory of libvips's programs vipsheader and vipsthumbnail, which read photos."},
    {"UPLIFT_VISION_URL", URL, AT(vision_url), NULL, 0, 0, NULL,
     "Base URL of a server with OpenAI's /chat/completions whose model takes pictures: it says "
     "what is on photos of meals. Unset: UPLIFT_UPSTREAM_URL."},
    {"UPLIFT_VISION_KEY", SECRET, AT(vision_key), NULL, 0, 0, NULL,
     "Key for that server; unset: none, or OPENAI_API_KEY where it is that of chats."},
    {"UPLIFT_VISION_MODEL", TEXT, AT(vision_model), NULL, 0, 0, NULL,
     "Model that says what is on photos; unset: UPLIFT_MODEL; none: no model is asked."},
    {"UPLIFT_VISION_TIMEOUT_MS", DURATION, AT(vision_timeout_ms), "60s", 100, HOUR, NULL,
     "How long the analysis of a photo may take."},
    {"UPLIFT_DB_TIMEOUT_MS", DURATION, AT(db_timeout_ms), "2s", 10, HOUR, NULL,
     "How long a call of Postgres may take, connecting included."},
    {"UPLIFT_DB_LOCK_TIMEOUT_MS", DURATION, AT(db_lock_timeout_ms), "500ms", 1, HOUR, NULL,
     "How long a call may wait for a lock; less than UPLIFT_DB_TIMEOUT_MS."},
    {"UPLIFT_GROUP_MAX", INTEGER, AT(group_max), "256", 1, 10000, NULL,
     "Most answers written in one transaction. Each takes one of Postgres's locks until it is "
     "committed."},
    {"UPLIFT_RECORD_QUEUE_MAX", INTEGER, AT(record_queue_max), "8192", 1, 1000000, NULL,
     "Most finished answers of one worker that wait to be written; at least UPLIFT_GROUP_MAX."},
    {"UPLIFT_ID_KEY", SECRET, AT(id_key), NULL, 0, 0, NULL,
     "Secret that marks answer ids with their user; the same on all hosts. Unset: made at random "
     "at each start."},
    {"UPLIFT_LOG_LEVEL", CHOICE, AT(log_level), "info", 0, 0, "debug|info|warn|error",
     "Least level that is logged; debug shows text of chats."},
    {"UPLIFT_ACCESS_LOG", CHOICE, AT(access_log), "hashed", 0, 0, "off|anonymous|hashed",
     "Whether each request is logged when it ends, at level info: with its user as a hash by "
     "UPLIFT_ID_KEY, or without. Health checks and /metrics only at level debug."},
    {"UPLIFT_DRAIN_MS", DURATION, AT(drain_ms), "30s", 0, 24 * HOUR, NULL,
     "How long open chats may go on after a stop or a reload."},
    {"UPLIFT_BATCH_DATABASE_URL", CONNINFO, AT(batch_database_url), NULL, 0, 0, NULL,
     "Postgres for fcgi-batch, as role uplift_batch, which alone may see what everybody said; "
     "unset: as DATABASE_URL."},
    {"UPLIFT_BATCH_LISTEN", ADDRESS, AT(batch_listen), "unix:/run/uplift/batch.sock", 0, 0, NULL,
     "Where nginx finds fcgi-batch: unix:PATH, or HOST:PORT. Its file has UPLIFT_LISTEN_MODE."},
    {"UPLIFT_BATCH_THREADS", INTEGER, AT(batch_threads), "16", 1, 256, NULL,
     "Requests of admins that fcgi-batch answers at once; up to 16 exports and 64 streams of "
     "progress come on top."},
    {"UPLIFT_BATCH_RUNNERS", INTEGER, AT(batch_runners), "2", 0, 64, NULL,
     "Batch jobs that one fcgi-batch runs at once; 0: none, only URLs."},
    {"UPLIFT_BATCH_POLL_MS", DURATION, AT(batch_poll_ms), "2s", 10, HOUR, NULL,
     "How often an idle runner looks for a job."},
    {"UPLIFT_BATCH_LEASE_MS", DURATION, AT(batch_lease_ms), "30s", 200, HOUR, NULL,
     "How long a runner that is not heard of keeps its job; then another goes on with it."},
    {"UPLIFT_BATCH_STATEMENT_TIMEOUT_MS", DURATION, AT(batch_statement_timeout_ms), "10min", 100,
     24 * HOUR, NULL, "How long one statement of a batch job may take."},
    {"UPLIFT_BATCH_DIR", PATH, AT(batch_dir), "/var/lib/uplift/batch", 0, 0, NULL,
     "Directory for work files of batch jobs."},
    {"UPLIFT_EXPORT_DIR", PATH, AT(export_dir), "/var/lib/uplift/exports", 0, 0, NULL,
     "Directory that exported datasets are written to."},
    {"UPLIFT_BATCH_MODEL", TEXT, AT(batch_model), NULL, 0, 0, NULL,
     "Model of UPLIFT_UPSTREAM_URL that batch jobs ask about memories, feedback and summaries; "
     "unset: UPLIFT_MODEL; none: no model is asked, and rules do what they can."},
    {"UPLIFT_KNOWLEDGE_DIR", PATH, AT(knowledge_dir), NULL, 0, 0, NULL,
     "Directory whose files admins may have imported as knowledge by URL and by schedules; unset: "
     "none. On the command line any directory can be imported."},
    {"UPLIFT_KNOWLEDGE_ADDRESSES", NETWORKS, AT(knowledge_addresses), NULL, 0, 0, NULL,
     "Addresses and networks, separated by commas, that pages of knowledge are fetched from "
     "although they are private, such as that of a wiki of your own; all others are refused "
     "unless they are public."},
    {"UPLIFT_PDFTOTEXT", PATH, AT(pdftotext), "/usr/bin/pdftotext", 0, 0, NULL,
     "Program of poppler that PDF files are read with."},
    {"UPLIFT_TRAINER", CHOICE, AT(trainer), "openai", 0, 0, "openai|command|none",
     "What trains models: openai is a server with OpenAI's routes for files and fine-tuning, "
     "command a program on this host."},
    {"UPLIFT_TRAINER_URL", URL, AT(trainer_url), "https://api.openai.com/v1", 0, 0, NULL,
     "Base URL of the trainer openai."},
    {"UPLIFT_TRAINER_API_KEY", SECRET, AT(trainer_api_key), NULL, 0, 0, NULL,
     "Key for the trainer openai."},
    {"UPLIFT_TRAINER_KEY_HEADER", TEXT, AT(trainer_key_header), "Authorization", 0, 0, NULL,
     "Header that takes the key: Authorization (as Bearer), or another, which takes it bare, "
     "such as api-key for Azure."},
    {"UPLIFT_TRAINER_COMMAND", PATH, AT(trainer_command), NULL, 0, 0, NULL,
     "Program of the trainer command."},
    {"UPLIFT_TRAINER_POLL_MS", DURATION, AT(trainer_poll_ms), "30s", 10, HOUR, NULL,
     "How often a fine-tuning job is looked at."},
    {"UPLIFT_TRAINER_TIMEOUT_MS", DURATION, AT(trainer_timeout_ms), "2min", 10, HOUR, NULL,
     "How long one call of the trainer may take; an upload as long as bytes move."},
};
const size_t config_option_count = sizeof config_options / sizeof config_options[0];

_Static_assert(sizeof config_options / sizeof config_options[0] <= CONFIG_OPTIONS_MAX,
               "more options than there is room for where they are read");
