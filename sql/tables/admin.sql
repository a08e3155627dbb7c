-- What admins said of answers, and whose texts they were shown.
create table answer_reviews (
    answer_id uuid primary key,
    review text not null check (review in ('marked', 'rejected')),
    note text,
    reviewed_by text,
    reviewed_at timestamptz not null default now()
);

comment on table answer_reviews is
    'Answers that an admin marked for training, whatever their feedback, or rejected: job generate-training-data goes by it.';

create table admin_log_users (
    user_id uuid not null,
    log_id uuid not null,
    primary key (user_id, log_id)
);

create index on admin_log_users (log_id);

comment on table admin_log_users is
    'Whose texts a line of admin_log showed that it does not name: searches of answers, exports of what was found, examples in the prompt of one, and comments that playbooks rest on.';
