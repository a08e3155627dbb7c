-- Messages are not stored: an answer's row holds both sides, and these views show them as messages.
create or replace view uplift.conversation_messages with (security_invoker = true) as
with shown as not materialized (
    -- What was given anew drops out, with what came after it, unless nothing came of that.
    select a.id, a.conversation_id, a.user_id, a.coach_id, a.user_message, a.ai_response, a.answers_tools, a.created_at, a.outcome
    from public.coach_response_feedback a
    left join uplift.conversations c on c.id = a.conversation_id
    where a.conversation_id is not null and c.deleted_at is null
        and (a.regenerate_of is null or a.ai_response <> '')
        and not coalesce(a.created_at <@ c.replaced, false)
)
select
    a.conversation_id,
    a.id as answer_id,
    a.user_id,
    a.coach_id,
    m.message_type,
    m.content,
    a.created_at,
    a.outcome
from shown a
cross join lateral (values ('user', a.user_message), ('assistant', a.ai_response)) as m(message_type, content)
where m.content <> ''
    -- What a client sends with the results of tools has the question of the turn before once more.
    and not (m.message_type = 'user' and coalesce(a.answers_tools, false) and a.user_message is not distinct from (
        select p.user_message from shown p
        where p.conversation_id = a.conversation_id and p.user_id = a.user_id and (p.created_at, p.id) < (a.created_at, a.id)
        order by p.created_at desc, p.id desc limit 1));

comment on view uplift.conversation_messages is
    'Both sides of each answer as messages, without regenerated answers and deleted conversations, and a question that was asked with tools once; order by created_at, answer_id, message_type desc.';

create or replace view uplift.answer_prompts with (security_invoker = true) as
select
    a.id as answer_id,
    a.user_id,
    a.created_at,
    a.coach_id,
    a.severity,
    a.mode,
    a.system_prompt_id,
    s.version_id as prompt_version_id,
    coalesce(a.system_prompt, s.prompt || coalesce(a.personal_prompt, '')) as system_prompt
from public.coach_response_feedback a
left join uplift.system_prompts s on s.id = a.system_prompt_id;

comment on view uplift.answer_prompts is 'The whole system prompt that each answer was made with; null when none was sent.';

do $$
begin
    if to_regclass('public.conversations') is null then
        create view public.conversations with (security_invoker = true) as
        select conversation_id as id, user_id, coach_id, message_type, content, created_at
        from uplift.conversation_messages;
        comment on view public.conversations is
            'Messages by conversation: id is the conversation, message_type user or assistant.';
    end if;
end
$$;
