-- Rows that the functions need. What an admin has changed since stays as it is.
insert into uplift.settings (key, value, description)
select 'auth.makes_users',
    to_jsonb(pg_has_role(relowner, 'member') and relowner::regrole::text <> 'supabase_auth_admin'
        and to_regclass('auth.identities') is null),
    'Whether a user unknown to auth.users is made on first sight: true on plain Postgres, false on Supabase.'
from pg_class where oid = 'auth.users'::regclass
on conflict (key) do nothing;

insert into uplift.model_prices (model, input_per_million, cached_input_per_million, output_per_million) values
    ('gpt-4.1', 2.00, 0.50, 8.00),
    ('gpt-4.1-mini', 0.40, 0.10, 1.60),
    ('gpt-4.1-nano', 0.10, 0.025, 0.40),
    ('gpt-4o', 2.50, 1.25, 10.00),
    ('gpt-4o-mini', 0.15, 0.075, 0.60)
on conflict (model) do nothing;

-- Conversations that were held before uplift came.
insert into uplift.conversations (id, user_id, coach_id, title, created_at, updated_at)
select distinct on (conversation_id) conversation_id, user_id, coach_id, left(user_message, 80), created_at,
    max(created_at) over (partition by conversation_id)
from public.coach_response_feedback
where conversation_id is not null
    and exists (select 1 from uplift_install.tables
        where target_schema = 'uplift' and target_name = 'conversations' and existing is null)
order by conversation_id, created_at
on conflict (id) do nothing;
