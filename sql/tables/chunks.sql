-- What is kept about knowledge beside public.ai_knowledge_sources, which may be a deployment's own table.
create table knowledge_texts (
    source_id uuid primary key,
    document_key uuid,
    content_hash uuid not null,
    file_hash uuid,
    collection text,
    is_gone boolean not null default false,
    chunks int not null default 0
);

create index on knowledge_texts (document_key);
create index on knowledge_texts (content_hash);
create index on knowledge_texts (collection, source_id);

comment on table knowledge_texts is 'A row for each row of ai_knowledge_sources, kept by trigger: what it is told apart by.';
comment on column knowledge_texts.document_key is
    'uplift.document_key(): the same for all versions of a document; null for a row without URL that somebody else wrote.';
comment on column knowledge_texts.content_hash is 'uplift.text_hash() of the content.';
comment on column knowledge_texts.file_hash is 'Of the file as it was read, so that an import need not convert it again; null where it was not imported.';
comment on column knowledge_texts.collection is 'What it was imported with: the name of the directory or list.';
comment on column knowledge_texts.is_gone is 'True when no admin withdrew it, but an import, because it was not there any more or said the same as another; it is in effect again when it is back, or says something else.';
comment on column knowledge_texts.chunks is 'How many pieces it has.';

create table knowledge_chunks (
    text_id bigint primary key,
    source_id uuid not null,
    chunk_hash uuid not null
);

create index on knowledge_chunks (source_id);
create index on knowledge_chunks (chunk_hash);

comment on table knowledge_chunks is
    'The pieces of knowledge in search_texts: of those that are the same, the first of a source in effect is searched.';
comment on column knowledge_chunks.chunk_hash is 'uplift.chunk_hash() of the piece.';
