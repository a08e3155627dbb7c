-- Embeddings where there is no pgvector: nothing of it is touched, and nothing found by it. What it does where it is, is
-- tested by t/http/embed_knowledge.py and t/http/hybrid.py.
\ir common.psql
select plan(9);

select is(uplift.vector_schema(), null, 'there is no pgvector here');
select hasnt_table('uplift', 'knowledge_embeddings', 'nor a table of its type');
select is(uplift_batch.start_embedding('m', null, false), '{"pgvector": false}', 'the job is told so');
insert into uplift.embedding_sets (model, dimensions) values ('m', 2), ('m', 3), ('other', 4);
select is(uplift.embeddings_of('m', null), null, 'and workers, whatever sets there were');
select is(uplift_chat.worker_sync('{"embeddings": {"model": "m"}}') -> 'embeddings', 'null', 'who ask each second');
select is(uplift_chat.worker_sync('{}') ? 'embeddings', false, 'unless they have no server for it');
select is((select count(*) from uplift.near_texts(jsonb_build_object('set', (select max(s.id) from uplift.embedding_sets s), 'vector', '[1,2,3,4]'), 40)), 0::bigint, 'nothing is near');

-- A worker that still sends an embedding: words alone are found, as without it.
insert into public.ai_knowledge_sources (source_name, title, content) values ('Test', 'Oats', 'Oats keep you full until noon.');
create temporary table asked on commit drop as
select jsonb_build_object('words', '["oat"]'::jsonb, 'knowledge', jsonb_build_object(
    'origin', (select o.origin from uplift.search_origin o), 'horizon', '18446744073709551615', 'mean', 5, 'idf', '[5]'::jsonb,
    'ids', jsonb_build_array((select max(t.id) from uplift.search_texts t)), 'scores', '[7]'::jsonb)) as search;
select is((select k.lines from asked a, uplift.knowledge_for(null, null, a.search || '{"embedding": {"set": 1, "vector": "[1,2]"}}', 3200, 0.4, 0.3) k),
    '[1] Oats (Test): Oats keep you full until noon.', 'words are found with an embedding');
select is((select k.lines from asked a, uplift.knowledge_for(null, null, a.search || '{"embedding": {"set": 1, "vector": "[1,2]"}}', 3200, 0.4, 0.3) k),
    (select k.lines from asked a, uplift.knowledge_for(null, null, a.search, 3200, 0.4, 0.3) k), 'as they are without');
select * from finish();
rollback;
