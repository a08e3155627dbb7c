-- What the job measure-context demoted, by text: pieces of knowledge and examples are written anew for many reasons, and
-- count less as long as they say the same.

create or replace function uplift.piece_hash(p_body text) returns uuid
language sql immutable parallel safe
as $$ select uplift.text_hash(regexp_replace(lower(p_body), '\s+', ' ', 'g')) $$;

comment on function uplift.piece_hash(text) is 'What a piece of knowledge is demoted by: the same for those that say the same, whosever they are.';

create or replace function uplift.example_hash(p_coach_id text, p_likeness uuid) returns uuid
language plpgsql immutable parallel safe
as $$
begin
    return uplift.text_hash(concat_ws(' ', p_likeness, p_coach_id));
end
$$;

comment on function uplift.example_hash(text, uuid) is 'What an example is demoted by: the same for a coach''s answers that are alike (uplift.few_shot_examples.likeness).';

create or replace function uplift.kept_weight(p_kind text, p_hash uuid, p_weight real) returns real
language plpgsql stable set enable_seqscan = off
as $$
begin
    return p_weight * coalesce((select d.factor from uplift.demotions d where d.kind = p_kind and d.hash = p_hash), 1);
end
$$;

comment on function uplift.kept_weight(text, uuid, real) is 'A weight of uplift.search_texts, less what a text was demoted by.';

create or replace function uplift.demote_texts(p_kind text, p_hashes uuid[], p_by real) returns void
language sql volatile
as $$
    insert into uplift.demotions as d (kind, hash, factor)
    select p_kind, h, p_by from unnest(p_hashes) h group by h order by h
    on conflict (kind, hash) do update set factor = d.factor * excluded.factor, demoted_at = now()
$$;

comment on function uplift.demote_texts(text, uuid[], real) is
    'Notes that texts count less by a factor, also when they are written anew. Those that are there keep their weight.';
