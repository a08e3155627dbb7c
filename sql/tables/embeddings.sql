-- Embeddings of knowledge: what it is found by besides its words. The vectors are pgvector's, and where that is not
-- there, in whichever schema, nor is their table.
create table embedding_sets (
    id int generated always as identity primary key,
    model text not null,
    dimensions int not null check (dimensions between 1 and 4096),
    index_type text check (index_type in ('vector', 'halfvec')),
    made_at timestamptz not null default now()
);

create unique index on embedding_sets (model, dimensions, index_type) nulls not distinct;

comment on table embedding_sets is
    'The embeddings there are: of one model, all of as many numbers. Those of two models say nothing of each other, so that each is searched by itself; the job embed-knowledge makes a set, and takes the others away once it is whole.';
comment on column embedding_sets.index_type is 'The type of pgvector''s that the set is indexed as; null: it has too many dimensions for an index, and is read whole.';

create table embedding_refusals (
    text_id bigint primary key,
    model text not null,
    dimensions int not null,
    refusals int not null default 1,
    reason text not null,
    refused_at timestamptz not null default now(),
    retry_at timestamptz not null
);

comment on table embedding_refusals is
    'Pieces of knowledge that the embeddings server did not take for what they are, and when they are tried again by themselves. A piece that is written anew has a new row in search_texts, and none here.';
comment on column embedding_refusals.model is 'Which model was asked, for how many numbers (0: as many as it gives): another one is asked at once.';

do $$
declare
    v_schema text := (select quote_ident(n.nspname) from pg_extension x join pg_namespace n on n.oid = x.extnamespace where x.extname = 'vector');
begin
    if v_schema is null then
        return;
    end if;
    execute format('create table knowledge_embeddings (
        set_id int not null,
        text_id bigint not null,
        embedding %s.vector not null,
        primary key (set_id, text_id))', v_schema);
    create index on knowledge_embeddings (text_id);
    comment on table knowledge_embeddings is 'The embeddings of texts on shelf knowledge, by set. Each set has an index of its own (uplift.index_embeddings).';
end
$$;
