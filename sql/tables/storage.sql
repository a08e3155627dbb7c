-- Long texts compress with lz4 where the server has it: several times faster than pglz to write and
-- to read, at about the same size.
do $$
declare
    v_column record;
begin
    if not exists (select 1 from pg_settings where name = 'default_toast_compression' and 'lz4' = any(enumvals)) then
        return;
    end if;
    for v_column in
        select a.attrelid::regclass as table_name, a.attname
        from (values
            ('public.coach_response_feedback', array['user_message', 'ai_response', 'system_prompt', 'personal_prompt',
                'request_messages',
                'response_message', 'attempts', 'exposures']),
            ('public.ai_training_examples', array['messages', 'completion', 'rejected']),
            ('public.ai_response_cache', array['ai_response']),
            ('public.ai_knowledge_sources', array['content']),
            ('uplift.system_prompts', array['prompt'])
        ) as t(table_name, columns)
        join pg_attribute a on a.attrelid = to_regclass(t.table_name) and a.attname = any(t.columns)
        where a.attcompression = '' and a.attlen = -1
    loop
        execute format('alter table %s alter column %I set compression lz4', v_column.table_name, v_column.attname);
    end loop;
end
$$;
