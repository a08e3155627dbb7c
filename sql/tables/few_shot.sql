-- Well-rated answers that may be shown to a coach as examples for another user's chat.
create table few_shot_examples (
    text_id bigint primary key,
    answer_id uuid not null unique,
    user_id uuid not null,
    conversation_id uuid,
    coach_id text not null,
    gist text,
    likeness uuid not null
);

create index on few_shot_examples (user_id);
create index on few_shot_examples (conversation_id);

comment on table few_shot_examples is
    'Answers that users liked, of users who let their answers be used, without anything personal: the text is in uplift.search_texts, shelf examples.';
comment on column few_shot_examples.gist is 'What was asked, in a few words that are nobody''s own; null where there are none.';
comment on column few_shot_examples.likeness is 'The same for answers that are alike but for blanks, marks and case.';
